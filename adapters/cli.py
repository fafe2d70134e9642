"""The command line: ``hioload-ws echo | demo | connect | probe``.

Each command is a function of its parsed arguments that returns an exit code: 0 for success, 1 for what went
wrong outside (a port that is taken, a server that refuses), 2 for a command line that makes no sense. Errors of
ours are one line on standard error, never a traceback: a traceback would be a defect.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..api.connection import Connection
from ..api.errors import HioloadError
from ..api.message import Message
from ..control.loader import load_toml
from . import console, demo, probe
from .server import Server
from .tls import ServerTls


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (``None``: of this process's command line) and return its exit code.

    A command line that makes no sense ends in ``SystemExit`` with code 2, as argparse does it.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except HioloadError as error:
        print(f"hioload-ws: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # What a shell reports for a program that SIGINT ended.


def echo(options: argparse.Namespace) -> int:
    """Serve every path with its own messages until SIGINT or SIGTERM."""
    tls: ServerTls | None = None if options.tls is None else (options.tls[0], options.tls[1])
    config = None if options.config is None else load_toml(options.config)
    app = Server(options.host, options.port, unix=options.unix, tls=tls, config=config)

    @app.on_message
    def send_back(connection: Connection, message: Message) -> None:
        connection.send(message)

    app.start()
    print(f"listening on {app.url}", flush=True)
    app.run()
    return 0


def _add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to listen."""
    parser.add_argument("--host", metavar="HOST", help="address or name to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, metavar="PORT", help="TCP port, 0 for any free one (9001)")
    parser.add_argument("--unix", metavar="PATH", help="listen on this Unix socket instead")
    parser.add_argument(
        "--tls", nargs=2, metavar=("CERT", "KEY"), help="speak TLS, with these two PEM files"
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with the server's settings")


def _port(text: str) -> int:
    """Return a port number, or tell argparse what is wrong."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, which is a number from 0 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hioload-ws", description="A WebSocket server and client, and tools to look at them."
    )
    parser.add_argument("--version", action="version", version=f"hioload-ws {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("echo", help="serve every path with its own messages")
    _add_place(command)
    command.set_defaults(command=echo)

    command = commands.add_parser("demo", help="serve a chat page for a browser, and chat with itself first")
    command.add_argument("--host", default="127.0.0.1", metavar="HOST", help="address to listen on")
    command.add_argument("--port", type=_port, default=9001, metavar="PORT", help="TCP port (9001)")
    command.add_argument("--browser", action="store_true", help="open the page in this machine's browser")
    command.add_argument("--once", action="store_true", help="end after the first messages")
    command.set_defaults(command=lambda options: demo.run(
        options.host, options.port, browser=options.browser, once=options.once
    ))  # fmt: skip

    command = commands.add_parser("connect", help="talk to a server: lines you type become text messages")
    command.add_argument("url", metavar="URL", help="ws:// or wss:// and so on")
    command.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="send this too")
    command.add_argument("--subprotocol", action="append", default=[], metavar="NAME", help="offer this")
    command.add_argument("--ca", metavar="FILE", help="trust the certificates in this PEM file")
    command.add_argument("--unix", metavar="PATH", help="connect to this Unix socket")
    command.set_defaults(command=lambda options: console.run(
        options.url,
        headers=options.header,
        subprotocols=options.subprotocol,
        ca_file=options.ca,
        unix=options.unix,
    ))  # fmt: skip

    command = commands.add_parser("probe", help="show this machine as the library sees it")
    command.add_argument("--json", action="store_true", help="print JSON for programs")
    command.set_defaults(command=lambda options: probe.run(as_json=options.json))
    return parser


__all__ = ["echo", "main"]
