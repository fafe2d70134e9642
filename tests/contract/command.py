"""The command line of the kit: ``hioload-ws contract run | list | explain | repro | selftest | diff``.

The program ``hioload-ws`` finds it as an entry point (``hioload_ws.commands``) and hands it a parser, so nothing
below this room has to know it. ``python -m hioload_ws.contract`` is the same without that.

Exit codes: 0 for conformant (``repro``: met; ``selftest``: the kit is right; ``diff``: nothing became worse), 1
for the opposite, 2 for a command line that makes no sense. A selection (``--only``) is never conformant; who
wants to know about one requirement asks ``repro``.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..api.errors import HioloadError, InvalidArgument
from . import catalogue, explain, proving
from .badge import to_svg
from .compare import compared
from .engine import DEFAULT_SEED, Factory, Options
from .engine import run as run_suite
from .locator import did_you_mean, load
from .page import to_html
from .record import from_json, to_json
from .report import Outcome, Report
from .requirement import Requirement, version_of
from .suite import Contract
from .text import render

HELP: Final = "check a component of your own against the contract of its interface"

_EXAMPLES: Final = """\
examples:
  hioload-ws contract list ring
  hioload-ws contract run ring mypackage.rings:MyRing --html report.html
  hioload-ws contract run ring ./myring.py:MyRing --full --seed 7
  hioload-ws contract explain RNG-04

exit code: 0 conformant, 1 not (nor is a selection by --only), 2 the command line makes no sense"""


def mount(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command ``contract`` to somebody's sub-commands."""
    fill(
        add_parser(
            "contract",
            help=HELP,
            description="Check a component of your own against the contract of its interface.",
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )


def fill(parser: argparse.ArgumentParser) -> None:
    """Give a parser the actions of this command; each sets ``command``, a function of the options."""
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _add_run(actions.add_parser("run", help="hold a component to a contract"))

    action = actions.add_parser("list", help="list the contracts, or the requirements of one")
    action.add_argument("suite", metavar="SUITE", nargs="?", help="name of a contract")
    action.add_argument("--markdown", action="store_true", help="print all requirements as tables for a page")
    action.set_defaults(command=list_command)

    action = actions.add_parser("explain", help="tell all about one requirement, its check included")
    action.add_argument("id", metavar="ID", help="such as RNG-04")
    action.set_defaults(command=explain_command)

    action = actions.add_parser("repro", help="run one requirement again, as a report says")
    action.add_argument("id", metavar="ID", help="such as RNG-04")
    _add_subject(action)
    action.add_argument("--suite", metavar="SUITE", help="contract that it is from, if it is not one of the kit's")
    action.set_defaults(command=repro_command)

    action = actions.add_parser("selftest", help="prove the kit on its broken and its odd implementations")
    action.add_argument("--suite", metavar="SUITE", help="of this contract only")
    action.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="default: %(default)s")
    action.set_defaults(command=selftest_command)

    action = actions.add_parser("diff", help="compare two reports written by --json")
    action.add_argument("old", metavar="OLD.json")
    action.add_argument("new", metavar="NEW.json")
    action.set_defaults(command=diff_command)


def _add_subject(parser: argparse.ArgumentParser) -> None:
    """Add what ``run`` and ``repro`` share."""
    parser.add_argument(
        "factory",
        metavar="MODULE:FACTORY",
        help="what returns a fresh component: a class, a function, or your subclass of a contract; a path to a "
        "file serves as module, too",
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="of all random choices (default: %(default)s)"
    )
    parser.add_argument(
        "--full", action="store_true", help="more rounds of what is random, most often 15 to 25 times as many"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help="name of a contract, see list; or MODULE:CLASS of your own")
    _add_subject(parser)
    parser.add_argument(
        "--since", "--level", metavar="VERSION", help="hold it to this version of the contract (default: the newest)"
    )
    parser.add_argument(
        "--only",
        metavar="ID",
        action="append",
        help="this requirement and those that it builds on; repeatable. The verdict is never conformant then",
    )
    parser.add_argument("--json", metavar="FILE", help="write the report for programs (-: standard output)")
    parser.add_argument("--html", metavar="FILE", help="write the report as a page (-: standard output)")
    parser.add_argument("--svg", metavar="FILE", help="write a badge (-: standard output)")
    parser.add_argument("--verbose", action="store_true", help="list what passed, too")
    parser.set_defaults(command=run_command)


def find_suite(name: str) -> type[Contract]:
    """Return a contract by its name, or by ``module:class``. Raises ``InvalidArgument``."""
    if ":" in name:
        found = load(name)
        if not (isinstance(found, type) and issubclass(found, Contract) and found.requirements):
            raise InvalidArgument(f"{name} is no contract, which is a subclass of Contract with requirements")
        return found.suite
    known = catalogue.suites()
    if name not in known:
        raise InvalidArgument(f"there is no contract {name!r}{did_you_mean(name, known)}")
    return known[name]


def find_requirement(id: str) -> tuple[type[Contract], Requirement]:
    """Return a requirement of the kit and its contract. Raises ``InvalidArgument``."""
    try:
        return catalogue.find(id)
    except KeyError:
        known = catalogue.suites()
        if id in known:
            hint = f": that is a contract, and hioload-ws contract list {id} names its requirements"
        else:
            hint = did_you_mean(id, [each.id for suite in known.values() for each in suite.requirements], all=False)
        raise InvalidArgument(f"there is no requirement {id!r}{hint}") from None


def find_factory(locator: str, suite: type[Contract]) -> tuple[type[Contract], Factory | None]:
    """Return what to run: the contract with a factory, or somebody's subclass of it, which has one."""
    found = load(locator)
    if isinstance(found, type) and issubclass(found, Contract):
        if not issubclass(found, suite):
            raise InvalidArgument(f"{locator} is a test of {found.suite.__name__} and not of {suite.__name__}")
        return found, None
    if not callable(found):
        kind = type(found).__name__
        raise InvalidArgument(f"{locator} is {kind} and can't be called: give a function that makes a fresh component")
    _check_call(suite, locator, found)
    return suite, found


def _check_call(suite: type[Contract], locator: str, factory: Factory) -> None:
    """Refuse a factory that can't be called as the checks do, where its signature tells; some have none."""
    wanted = explain.made_with(suite)
    given = [each for each in wanted.parameters.values() if each.default is each.empty]
    names = [each.name for each in given if each.kind is each.KEYWORD_ONLY]
    values = [each.name for each in given if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    try:
        found = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    try:
        found.bind(*values, **dict.fromkeys(names))
    except TypeError as error:
        message = f"{locator} takes {found}, and {suite.__name__} calls make{wanted}: {error}"
        raise InvalidArgument(message) from None


def _run(suite: type[Contract], locator: str, options: Options) -> Report:
    cls, factory = find_factory(locator, suite)
    return run_suite(cls, factory, options, subject=locator, locator=locator)


def run_command(options: argparse.Namespace) -> int:
    """Hold a component to a contract, and write the reports that were asked for."""
    suite = find_suite(options.suite)
    ids = [each.id for each in suite.requirements]
    for id in options.only or ():
        if id not in ids:
            raise InvalidArgument(f"{suite.__name__} has no requirement {id!r}{did_you_mean(id, ids)}")
    if options.since is not None:
        _check_version(options.since, suite)
    only = None if options.only is None else tuple(options.only)
    report = _run(suite, options.factory, Options(options.seed, only, options.since, options.full))
    files = ((options.json, to_json), (options.html, to_html), (options.svg, to_svg))
    asked = [(target, make(report)) for target, make in files if target is not None]
    if all(target != "-" for target, _ in asked):
        print(render(report, verbose=options.verbose))
    for target, text in asked:
        if target == "-":
            sys.stdout.write(text)
        else:
            Path(target).write_text(text, encoding="utf-8")
    return 0 if report.conformant else 1


def _check_version(text: str, suite: type[Contract]) -> None:
    """Refuse what is no version, and one that has no requirement: that would be a run of nothing."""
    try:
        limit = version_of(text)
    except ValueError:
        raise InvalidArgument(f"{text!r} is not a version of a contract, such as 1.0") from None
    versions = sorted({each.since for each in suite.requirements}, key=version_of)
    if limit < version_of(versions[0]):
        raise InvalidArgument(f"{suite.__name__} begins with version {versions[0]}; there is no {text}")


def list_command(options: argparse.Namespace) -> int:
    """List the contracts, or the requirements of one."""
    if options.markdown:
        print(explain.as_markdown(), end="")
    elif options.suite is None:
        print(explain.overview())
    else:
        print(explain.requirements_of(find_suite(options.suite)))
    return 0


def explain_command(options: argparse.Namespace) -> int:
    """Tell all about one requirement."""
    print(explain.requirement_in_full(*find_requirement(options.id)))
    return 0


def repro_command(options: argparse.Namespace) -> int:
    """Run one requirement, and what it builds on; whether it is met."""
    suite = find_suite(options.suite) if options.suite is not None else find_requirement(options.id)[0]
    ids = [each.id for each in suite.requirements]
    if options.id not in ids:
        raise InvalidArgument(f"{suite.__name__} has no requirement {options.id!r}{did_you_mean(options.id, ids)}")
    report = _run(suite, options.factory, Options(options.seed, (options.id,), None, options.full))
    print(render(report))
    entry = report[options.id]
    print(f"{options.id}: {entry.outcome}")
    return 0 if entry.outcome in (Outcome.PASS, Outcome.WARN, Outcome.UNSUPPORTED) else 1


def selftest_command(options: argparse.Namespace) -> int:
    """Prove the kit."""
    suite = None if options.suite is None else find_suite(options.suite)
    return proving.run(suite, options.seed, lambda line: print(line, flush=True))


def diff_command(options: argparse.Namespace) -> int:
    """Compare two reports."""
    old, new = (from_json(_read(name), name) for name in (options.old, options.new))
    if old.suite != new.suite:
        raise InvalidArgument(f"these are reports of two contracts: {old.suite} and {new.suite}")
    text, is_worse = compared(old, new)
    print(text)
    return 1 if is_worse else 0


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"{name} can't be read: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m hioload_ws.contract``; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hioload_ws.contract",
        description="Check a component of your own against the contract of its interface.",
        epilog=_EXAMPLES.replace("hioload-ws contract", "python -m hioload_ws.contract"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fill(parser)
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except InvalidArgument as error:
        print(f"contract: {error}", file=sys.stderr)
        return 2
    except (HioloadError, OSError) as error:
        print(f"contract: {error}", file=sys.stderr)
        return 1


__all__ = ["fill", "find_requirement", "find_suite", "main", "mount"]
