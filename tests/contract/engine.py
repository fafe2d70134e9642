"""Engine: runs a suite on an implementation and says what came out.

Each check gets a fresh suite object, a fresh ``Trial`` with a seed of its own (made from the run's seed and the
id, so that running one alone repeats it), a thread, and a watchdog. Requirements run in the order in which they
are written; one that builds on an unmet one is blocked.

Who is to blame for an exception? The implementation: that is what is on trial. Only names that do not exist,
failed assertions and failed imports *in the kit's own code* are the kit's errors, and so is an exception before
a subject was made. They are reported as such and never as anybody's failure.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .. import __version__
from .difference import shown
from .report import Entry, Finding, Outcome, Report
from .requirement import Level, Requirement, closure, version_of
from .suite import Check, Contract
from .trial import Broken, KitError, Trial
from .watchdog import Watched, crowd, watch

DEFAULT_SEED: Final = 1
DEFAULT_PATIENCE_SECONDS: Final = 0.75
DEFAULT_LIMIT_SECONDS: Final = 30.0

_KIT: Final = Path(__file__).resolve().parent
_OUR_MISTAKES: Final = (NameError, AssertionError, ImportError)
_UNMET: Final = frozenset({Outcome.FAIL, Outcome.BLOCKED, Outcome.KIT_ERROR})

Factory = Callable[..., object]
"""Returns a fresh implementation; its parameters are those of the suite's ``make``."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. ``only``: these ids and what they depend on (``None``: all). ``since``: of this version of
    the contract and older. ``full``: more rounds. The two times are the watchdog's."""

    seed: int = DEFAULT_SEED
    only: tuple[str, ...] | None = None
    since: str | None = None
    full: bool = False
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS
    limit_seconds: float = DEFAULT_LIMIT_SECONDS


class Session:
    """A run of one suite on one implementation, one requirement at a time; remembers what it found."""

    def __init__(self, suite: type[Contract], options: Options) -> None:
        self._suite = suite.suite
        self.options = options
        self._tampered = suite.tampered()
        self._entries: dict[str, Entry] = {}
        self._declared: frozenset[str] | None = None
        self._refused: dict[str, Entry] = {}
        self.told: set[str] = set()
        """Ids of failures that somebody has shown already."""

    def run(self, id: str, factory: Factory) -> Entry:
        """Return the outcome of a requirement; run it, and first what it depends on, if not done yet."""
        if id not in self._entries:
            [wanted] = [each for each in self._suite.requirements if each.id == id]
            for needed in wanted.depends:
                if self.run(needed, factory).outcome in _UNMET:
                    self._entries[id] = Entry(wanted, Outcome.BLOCKED, blocked_by=self._root(needed))
                    break
            else:
                self._entries[id] = self._applied(wanted, factory)
        return self._entries[id]

    def _root(self, id: str) -> str:
        """Return the id that a chain of blocked requirements goes back to."""
        return self._entries[id].blocked_by or id

    def _applied(self, wanted: Requirement, factory: Factory) -> Entry:
        """Run a check, or, where its capability is not declared, the check for its absence."""
        check = self._suite.checks.get(wanted.id)
        if check is None:
            return Entry(wanted, Outcome.UNTESTED, notes=("the suite has no check for it",))
        names = sorted({check.__name__, *self._helpers()} & self._tampered)
        if names:
            text = f"tampered: the class under test overrides {', '.join(names)} of the suite"
            return Entry(wanted, Outcome.FAIL, Finding(text, got="another check", wanted="the suite's own"))
        if wanted.capability is None or wanted.capability in self._capabilities(factory):
            return self._checked(wanted, check, factory)
        return self._refusing(wanted, wanted.capability, factory)

    def _helpers(self) -> set[str]:
        """Return the names in the suite that every check may lean on."""
        checks = {check.__name__ for check in self._suite.checks.values()}
        return {each for each in dir(self._suite) if not each.startswith("__")} - checks

    def _capabilities(self, factory: Factory) -> frozenset[str]:
        """Ask once what the implementation declares. One that can't even tell is held to everything."""
        if self._declared is None:
            suite = self._suite.bound(factory)
            told: list[frozenset[str]] = []
            trial = self._trial("declared")
            finding, _ = self._guarded(lambda: told.append(suite.declared(trial)), "declared", trial)
            self._declared = told[0] if told and finding is None else frozenset(suite.capabilities())
        return self._declared

    def _refusing(self, wanted: Requirement, capability: str, factory: Factory) -> Entry:
        """Return the outcome for a capability that is not declared: one finding for all that belong to it."""
        known = self._refused.get(capability)
        if known is not None:
            if known.outcome in _UNMET:
                return Entry(wanted, Outcome.BLOCKED, blocked_by=self._root(known.requirement.id))
            return Entry(wanted, Outcome.UNSUPPORTED)
        check = self._suite.refusals.get(capability)
        if check is None:
            entry = Entry(wanted, Outcome.UNTESTED, notes=(f"nothing checks the absence of {capability}",))
        else:
            entry = self._checked(wanted, check, factory, Outcome.UNSUPPORTED)
            if entry.outcome is Outcome.FAIL and self._works(capability, factory):
                text = f"{capability} works, although it is not declared"
                entry = replace(entry, outcome=Outcome.WARN, finding=Finding(text, got="it works", wanted="declared"))
        self._refused[capability] = entry
        self._entries[wanted.id] = entry
        return entry

    def _works(self, capability: str, factory: Factory) -> bool:
        """Return whether what is not declared, and does not refuse, does all that is asked of it."""
        asked = [each for each in self._suite.requirements if each.capability == capability]
        entries = (self._checked(each, self._suite.checks[each.id], factory) for each in asked)
        return all(entry.outcome in (Outcome.PASS, Outcome.WARN) for entry in entries)

    def _trial(self, id: str) -> Trial:
        options = self.options
        seed = f"{options.seed}:{id}"
        return Trial(seed, full=options.full, patience_seconds=options.patience_seconds * crowd())

    def _checked(
        self, wanted: Requirement, check: Check, factory: Factory, good: Outcome = Outcome.PASS
    ) -> Entry:
        """Run a check on its own thread and say what came out; ``good`` where nothing is wrong."""
        suite = self._suite.bound(factory)
        trial = self._trial(wanted.id)
        begin = time.monotonic()
        finding, outcome = self._guarded(lambda: check(suite, trial), wanted.id, trial)
        if outcome is None:
            if trial.warnings:
                finding, outcome = Finding("; ".join(trial.warnings), trial.steps), Outcome.WARN
            else:
                outcome = good
        elif outcome is Outcome.FAIL and wanted.level is Level.SHOULD:
            outcome = Outcome.WARN
        elif outcome is Outcome.FAIL and wanted.level is Level.MAY:
            outcome = Outcome.UNSUPPORTED
        seconds = time.monotonic() - begin
        return Entry(wanted, outcome, finding, notes=tuple(trial.notes), seconds=seconds)

    def _guarded(
        self, function: Callable[[], object], id: str, trial: Trial
    ) -> tuple[Finding | None, Outcome | None]:
        """Run something under the watchdog; return what is wrong, and whose fault it is.

        Subjects are closed on the thread of the check, because much belongs to the thread that made it.
        """
        options = self.options
        errors: list[BaseException] = []
        over: list[bool] = []
        hung: list[bool] = []
        awaited: list[str] = []

        def whole() -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)
            over.append(True)
            trial.close()

        def rescue() -> None:
            hung.append(not over)
            awaited.append(trial.awaited)
            trial.close()

        watched = watch(
            whole,
            name=f"contract {id}",
            patience_seconds=trial.patience_seconds * 1.2,  # the trial's own waits must end first
            limit_seconds=options.limit_seconds,
            sign_of_life=lambda: trial.sign_of_life,
            rescue=rescue,
        )
        trial.close()
        if any(hung):
            return _endless(awaited[0], trial.steps, watched), Outcome.FAIL
        if hung:
            trial.notes.append("closing the subject never returned")
        return _blame(errors[0], trial) if errors else (None, None)


def _endless(awaited: str, steps: tuple[str, ...], watched: Watched) -> Finding:
    """Return the finding where something never returned: ``awaited``, that it would, or else the watchdog's."""
    if awaited:
        text = f"{awaited} did not return within {watched.seconds:.1f} s"
        return Finding(text, steps, "it still waits", "it returns", trace=watched.stacks)
    text = f"no sign of life: given up after {watched.seconds:.1f} s"
    last = steps[-1] if steps else "nothing"
    return Finding(text, steps, f"never returned from: {last}", "to return", trace=watched.stacks, hung=True)


def _blame(error: BaseException, trial: Trial) -> tuple[Finding, Outcome]:
    """Return the finding of an exception that ended a check, and whose fault it is."""
    if isinstance(error, Broken):
        return error.finding, Outcome.FAIL
    frames = traceback.extract_tb(error.__traceback__)
    text = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    at = Path(frames[-1].filename).resolve() if frames else _KIT
    ours = at.is_relative_to(_KIT) and not at.is_relative_to(_KIT / "mutants")
    if isinstance(error, KitError) or (ours and isinstance(error, _OUR_MISTAKES)) or not trial.subject_made:
        return Finding(f"an error of the kit: {text}", trial.steps, trace=trace), Outcome.KIT_ERROR
    return Finding(f"raised {text}", trial.steps, shown(error), "no exception", trace=trace), Outcome.FAIL


def locate(factory: object) -> str:
    """Return ``module:name`` of a factory that can be imported, else ``""``."""
    module = getattr(factory, "__module__", "")
    name = getattr(factory, "__qualname__", "")
    importable = module and module != "__main__" and name and "<" not in name
    return f"{module}:{name}" if importable else ""


def selected(suite: type[Contract], options: Options) -> set[str]:
    """Return the ids that a run with these options covers."""
    wanted: Collection[Requirement] = suite.requirements
    if options.since is not None:
        limit = version_of(options.since)
        wanted = [each for each in wanted if version_of(each.since) <= limit]
    ids = {each.id for each in wanted}
    return ids if options.only is None else closure(options.only, suite.requirements) & ids


def run(
    suite: type[Contract], factory: Factory | None, options: Options, subject: str = "", locator: str = ""
) -> Report:
    """Run a suite (``factory`` ``None``: a class that has its own ``make``) and return the report.

    ``subject`` and ``locator`` name the implementation where the factory does not do so well enough.
    """
    made: Factory = getattr(suite(), "make") if factory is None else factory
    session = Session(suite, options)
    covered = selected(suite, options)
    entries = tuple(
        session.run(each.id, made) if each.id in covered else Entry(each, Outcome.UNTESTED)
        for each in suite.suite.requirements
        if options.since is None or version_of(each.since) <= version_of(options.since)
    )
    named: object = suite if factory is None else made
    name = getattr(named, "__qualname__", type(named).__name__)
    locator = locator or locate(named)
    return Report(
        suite.suite.__name__, subject or name, options.seed, __version__, entries, locator, options.full
    )


def check(
    suite: type[Contract],
    make: Factory | None = None,
    *,
    seed: int = DEFAULT_SEED,
    only: Collection[str] | None = None,
    since: str | None = None,
    full: bool = False,
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    limit_seconds: float = DEFAULT_LIMIT_SECONDS,
) -> Report:
    """Hold an implementation to a contract: the door for programs.

    ``make`` returns a fresh implementation each time; its parameters are those of the suite's ``make``. Nothing
    that the implementation does is raised from here; it is in the report. ``only`` are ids (what they depend on
    runs, too), ``since`` a version of the contract. Raises ``KeyError`` for an id that the suite has not.
    """
    for id in only or ():
        if all(each.id != id for each in suite.requirements):
            raise KeyError(f"{suite.__name__} has no requirement {id}")
    chosen = None if only is None else tuple(only)
    return run(suite, make, Options(seed, chosen, since, full, patience_seconds, limit_seconds))


__all__ = [
    "DEFAULT_LIMIT_SECONDS",
    "DEFAULT_PATIENCE_SECONDS",
    "DEFAULT_SEED",
    "Factory",
    "Options",
    "Session",
    "check",
    "locate",
    "run",
    "selected",
]
