"""The command line: ``hioload-ws echo | demo | connect | probe | config | rfc``, and what others add to it.

Each command is a function of its parsed arguments that returns an exit code: 0 for success, 1 for what went
wrong outside (a port that is taken, a server that refuses), 2 for a command line that makes no sense, the
files it names included. Errors of ours are one line on standard error, never a traceback: a traceback would
be a defect.

A command may live in another package, or on a floor above this one, as ``contract`` does: an *entry point* of the
group ``hioload_ws.commands`` names a function that adds it. Those are looked for only when a command is none of
ours, or when somebody asks what there is; so our own start as fast as they do without.
"""

from __future__ import annotations

import argparse
import functools
import io
import logging
import os
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import metadata
from typing import Final, TypeAlias

from .. import __version__
from ..api.connection import Connection
from ..api.errors import HioloadError, InvalidArgument
from ..api.message import Message
from ..control.sources import SourcedConfig, read_config
from . import config_command, console, demo, probe, rfc
from .follow import MAX_REDIRECTS
from .reload import ConfigFollower
from .server import Server
from .signals import hangup_calls
from .tls import ServerTls

_ECHO = """\
Serve every path with its own messages, until Ctrl-C or a TERM signal: then every peer is told, and the
server ends when the last one has gone. A second Ctrl-C does not wait for them."""

_DEMO = "Serve a chat with a page for browsers, and chat with it once so that there is something to see."

_CONNECT = "Talk to a WebSocket server. Lines of standard input become text messages; its own come behind <."

_CONNECT_LINES = """\
lines that begin with a slash:
  /ping [TEXT]             send a ping
  /close [CODE [REASON]]   close the connection, by default with 1000
  //TEXT                   send /TEXT
  end of input (Ctrl-D)    wait for answers as long as --wait says, and close the connection

examples:
  hioload-ws connect ws://127.0.0.1:9001/
  hioload-ws connect wss://example.org/feed --header 'Authorization: Bearer TOKEN'
  hioload-ws connect wss://example.org/feed --proxy env --reconnect
  hioload-ws connect ws://localhost/ --unix /run/chat.socket < lines.txt

exit code: 0 after a clean close (1000, 1001, none, or the one you asked for), 1 after any other end"""

_PROBE = "Show this machine as the library sees it: platform, CPUs, NUMA nodes, and which transports work."

COMMANDS: Final = "hioload_ws.commands"
"""Group of the entry points that add a command. Each is a function that is called with ``add_parser`` of our
sub-commands (see ``argparse``) and gives what it makes a default ``command``: a function of the parsed arguments
that returns an exit code. Its name is that of the command."""

AddParser: TypeAlias = Callable[..., argparse.ArgumentParser]

_RFC = "Show where each rule of RFC 6455 and RFC 7692 is kept, which test proves it, and what is missing."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (``None``: of this process's command line) and return its exit code.

    A command line that argparse can't parse ends in ``SystemExit`` with code 2.
    """
    given = sys.argv[1:] if arguments is None else arguments
    parser, add_parser, known = _parser()
    if not given or given[0] not in {*known, "--version"}:
        _add_foreign(add_parser, known, given[0] if given else "")
    options = parser.parse_args(given)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for terminals that do not know every character
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except InvalidArgument as error:
        return _complain(error, 2)
    except BrokenPipeError:
        _forget_output()
        return 1
    except (HioloadError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130  # What a shell reports for a program that SIGINT ended.


def echo(options: argparse.Namespace) -> int:
    """Serve every path with its own messages until SIGINT or SIGTERM."""
    if options.unix is not None and (options.host is not None or options.port is not None):
        raise InvalidArgument("--unix stands in place of --host and --port: give one or the other")
    tls: ServerTls | None = None if options.tls is None else (options.tls[0], options.tls[1])

    def read() -> SourcedConfig:
        return read_config(options.config, os.environ)

    config = read().config
    settings = {} if options.workers is None else {"workers": options.workers}
    app = Server(options.host, options.port, unix=options.unix, tls=tls, config=config, **settings)

    @app.on_message
    def send_back(connection: Connection, message: Message) -> None:
        connection.send(message)

    app.start()
    # From within the loop: whoever waits for this line may send a signal right after it.
    app.post(lambda: print(f"listening on {app.url}", flush=True))
    follower = ConfigFollower(app, read, config)
    if options.config is not None:
        follower.follow(options.config)
    with hangup_calls(follower.ask):
        app.run()
    return 0


def _complain(error: Exception, code: int) -> int:
    print(f"hioload-ws: {error}", file=sys.stderr)
    return code


def _forget_output() -> None:
    """Whoever read our output has gone (``| head``). Python flushes once more at exit, and would complain:
    let that go nowhere (Python's ``signal`` module, "Note on SIGPIPE")."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to listen."""
    parser.add_argument("--host", metavar="HOST", help="address or name to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, metavar="PORT", help="TCP port, 0 for any free one (default: 9001)"
    )
    parser.add_argument("--unix", metavar="PATH", help="listen on this Unix socket, not on host and port")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="speak TLS, with these two PEM files")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file with settings (max_connections = 500), followed when it changes; variables named "
        "HIOLOAD_MAX_CONNECTIONS and so on win over it, options over both",
    )


def _add_way(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to get there."""
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="go through this HTTP proxy, http://[USER:PASSWORD@]HOST[:PORT]; env: as the environment says "
        "(https_proxy, http_proxy, all_proxy, no_proxy)",
    )
    parser.add_argument(
        "--max-redirects",
        type=_redirects,
        default=0,
        metavar="N",
        help="follow up to N redirects, never from wss to ws (default: none)",
    )
    parser.add_argument(
        "--reconnect",
        action="store_true",
        help="come back after a broken connection, with longer and longer waits; lines wait meanwhile",
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many serve."""
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that share the port (default: 1, this one); SIGUSR2 replaces them",
    )


def _add_talk(parser: argparse.ArgumentParser) -> None:
    """Add the options that say whom to talk to, and how."""
    parser.add_argument("url", metavar="URL", help="ws://HOST[:PORT][/PATH], or wss:// for TLS")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="add this to the request; repeatable",
    )
    parser.add_argument(
        "--subprotocol",
        action="append",
        default=[],
        metavar="NAME",
        help="offer this; repeatable, best first",
    )
    parser.add_argument("--ca", metavar="FILE", help="trust the certificates in this PEM file, and no others")
    parser.add_argument(
        "--unix", metavar="PATH", help="connect to this Unix socket; URL says what to ask for"
    )
    _add_way(parser)
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=console.WAIT_S,
        metavar="SECONDS",
        help="time for answers after the end of the input (default: %(default)s)",
    )
    parser.set_defaults(command=lambda options: console.run(
        options.url,
        headers=options.header,
        subprotocols=options.subprotocol,
        ca_file=options.ca,
        unix=options.unix,
        proxy=options.proxy,
        max_redirects=options.max_redirects,
        reconnect=options.reconnect,
        wait_s=options.wait,
    ))  # fmt: skip


def _add_config(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``config``."""
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    action = actions.add_parser("check", help="say ok, or what is wrong and where")
    action.add_argument("file", metavar="FILE", help="TOML file with settings")
    action.set_defaults(command=lambda options: config_command.check(options.file))
    action = actions.add_parser("show", help="print all settings, with where each value comes from")
    action.add_argument("file", metavar="FILE", nargs="?", help="TOML file with settings")
    action.add_argument("--json", action="store_true", help="print JSON for programs")
    action.set_defaults(command=lambda options: config_command.show(options.file, as_json=options.json))


def _add_rfc(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which rules to show."""
    parser.add_argument(
        "section",
        nargs="?",
        metavar="SECTION",
        help="these only: 5.5.1 (of RFC 6455), 7692-7.2.1, 7692, or one rule: 6455-5.5.1-02",
    )
    parser.add_argument("--deviations", action="store_true", help="only rules that we keep otherwise, with reasons")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(
        command=lambda options: rfc.run(options.section, as_json=options.json, deviations=options.deviations)
    )


def _add_foreign(add_parser: AddParser, known: Collection[str], name: str) -> None:
    """Add the command ``name`` of somebody else; all there are where ``name`` is none of them.

    One that can't be loaded becomes a command that says why.
    """
    found = {each.name: each for each in metadata.entry_points(group=COMMANDS) if each.name not in known}
    for each in [found[name]] if name in found else found.values():
        try:
            add: Callable[[AddParser], object] = each.load()
        except Exception as error:
            why = f"the command {each.name} of {each.value} can't be loaded: {type(error).__name__}: {error}"
            add_parser(each.name, help="can't be loaded").set_defaults(command=functools.partial(_fail, why))
        else:
            add(add_parser)


def _fail(why: str, options: argparse.Namespace) -> int:
    return _complain(ImportError(why), 1)


def _port(text: str) -> int:
    """Return a port number, or tell argparse what is wrong."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, which is a number from 0 to 65535")
    return int(text)


def _redirects(text: str) -> int:
    """Return how many redirects to follow, or tell argparse what is wrong."""
    if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > MAX_REDIRECTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of redirects from 0 to {MAX_REDIRECTS}")
    return int(text)


def _seconds(text: str) -> float:
    """Return a time of at most a day, or tell argparse what is wrong."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:  # also false for "nan"
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400")
    return seconds


def _parser() -> tuple[argparse.ArgumentParser, AddParser, Collection[str]]:
    """Return the parser, what adds a command to it, and the names of those it has."""
    parser = argparse.ArgumentParser(
        prog="hioload-ws",
        description="A WebSocket server and client, and tools to look at them.",
        epilog="hioload-ws COMMAND --help tells more about each.",
    )
    parser.add_argument("--version", action="version", version=f"hioload-ws {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("echo", help="serve every path with its own messages", description=_ECHO)
    _add_place(command)
    _add_workers(command)
    command.set_defaults(command=echo)

    command = commands.add_parser("demo", help="serve a chat with a page for browsers", description=_DEMO)
    command.add_argument(
        "--host", default="127.0.0.1", help="address or name to listen on (default: %(default)s)"
    )
    command.add_argument(
        "--port", type=_port, default=9001, help="TCP port, 0 for any free one (default: %(default)s)"
    )
    command.add_argument("--browser", action="store_true", help="open the page in this machine's browser")
    command.add_argument(
        "--once", action="store_true", help="end after the first messages; exit code 0 if they came"
    )
    command.set_defaults(command=lambda options: demo.run(
        options.host, options.port, browser=options.browser, once=options.once
    ))  # fmt: skip

    command = commands.add_parser(
        "connect",
        help="talk to a server: lines you type become text messages",
        description=_CONNECT,
        epilog=_CONNECT_LINES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_talk(command)

    command = commands.add_parser(
        "probe", help="show this machine as the library sees it", description=_PROBE
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    command.set_defaults(command=lambda options: probe.run(as_json=options.json))

    _add_config(commands.add_parser("config", help="check a file with settings, or show what is in force"))
    _add_rfc(commands.add_parser("rfc", help="show where each rule of the RFCs is kept", description=_RFC))
    return parser, commands.add_parser, frozenset(commands.choices)


__all__ = ["COMMANDS", "echo", "main"]
