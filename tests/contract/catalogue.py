"""Catalogue: which suites, requirements, mutants and oddballs there are.

Nothing has to be registered twice: a module in ``suites/`` has a tuple ``SUITES``, a module in ``mutants/`` a
``GALLERY``, and being there is enough. ``faults`` holds the registries together. Only what a suite proves is written
down here, because it need not be what its ``make`` returns: a connection is tried through its peer.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from . import mutants as mutants_package
from . import suites as suites_package
from .mutation import Gallery, Mutant, Oddball
from .requirement import Level, Requirement
from .suite import Contract


INTERFACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "affinity": ("Affinity",),
        "batch": ("Batch",),
        "buffer": ("Buffer",),
        "buffer-pool": ("BufferPool",),
        "buffer-pool-manager": ("BufferPoolManager",),
        "clock": ("Clock",),
        "codec": ("Codec",),
        "connection": ("Connection",),
        "context": ("Context",),
        "context-factory": ("ContextFactory",),
        "control": ("Control",),
        "debug": ("Debug",),
        "executor": ("Executor", "Task"),
        "extension": ("Extension",),
        "extension-factory": ("ExtensionFactory",),
        "graceful-shutdown": ("GracefulShutdown",),
        "handler": ("Handler",),
        "message": ("Message",),
        "metrics": ("Counter", "Gauge", "Histogram", "Metrics"),
        "middleware": ("Middleware",),
        "mpmc-ring": ("Ring",),
        "node-object-pools": ("NodeObjectPools",),
        "object-pool": ("ObjectPool",),
        "poller": ("Poller",),
        "reactor": ("Reactor",),
        "ring": ("Ring",),
        "scheduler": ("Cancelable", "Scheduler"),
        "session": ("Session",),
        "session-manager": ("SessionManager",),
        "socket-transport": ("SocketTransport",),
        "topology": ("Topology",),
        "tracer": ("Span", "Tracer"),
        "transport": ("Transport",),
        "transport-provider": ("Listener", "TransportProvider"),
        "transport-registry": ("TransportRegistry",),
    }
)
"""The interfaces of ``hioload_ws.api`` that each suite proves, by its name."""


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def suites() -> dict[str, type[Contract]]:
    """Return all suites by the names that the command line knows."""
    found: dict[str, type[Contract]] = {}
    for module in _modules(suites_package):
        for suite in getattr(module, "SUITES", ()):
            found[suite.name] = suite
    return found


def galleries() -> list[Gallery]:
    """Return the galleries of all modules of mutants."""
    found = (getattr(module, "GALLERY", None) for module in _modules(mutants_package))
    return [each for each in found if each is not None]


def mutants() -> list[Mutant]:
    """Return all broken implementations."""
    return [each for gallery in galleries() for each in gallery.mutants]


def oddballs() -> list[Oddball]:
    """Return all unusual ones that are right."""
    return [each for gallery in galleries() for each in gallery.oddballs]


def find(id: str) -> tuple[type[Contract], Requirement]:
    """Return a requirement and the first suite that has it. Raises ``KeyError`` for an unknown id."""
    for suite in suites().values():
        for each in suite.requirements:
            if each.id == id:
                return suite, each
    raise KeyError(f"no suite has a requirement {id}")


def faults() -> Iterator[str]:
    """Yield one line per disagreement between requirements, checks, refusals and mutants."""
    killed = {mutant.kills for mutant in mutants()}
    known = suites()
    for name in sorted(known.keys() ^ INTERFACES.keys()):
        yield f"{name}: {'no word on which interface it proves' if name in known else 'there is no such suite'}"
    for suite in known.values():
        yield from suite_faults(suite)
        for each in suite.requirements:
            if each.level is Level.MUST and each.id not in killed:
                yield f"{suite.name}: no mutant proves that {each.id} is checked"


def suite_faults(suite: type[Contract]) -> Iterator[str]:
    """Yield what is wrong within one suite."""
    ids = [each.id for each in suite.requirements]
    for id, count in Counter(ids).items():
        if count > 1:
            yield f"{suite.name}: {id} stands there {count} times"
    for id in sorted(set(ids) - suite.checks.keys()):
        yield f"{suite.name}: nothing checks {id}"
    for id in sorted(suite.checks.keys() - set(ids)):
        yield f"{suite.name}: a check proves {id}, which is no requirement"
    for place, each in enumerate(suite.requirements):
        for needed in each.depends:
            if needed not in ids[:place]:
                yield f"{suite.name}: {each.id} depends on {needed}, which does not stand above it"
    instance = suite()
    for capability in instance.capabilities():
        if capability not in suite.refusals:
            yield f"{suite.name}: nothing checks the absence of {capability}"
    for capability in sorted(suite.refusals.keys() - set(instance.capabilities())):
        yield f"{suite.name}: a refusal of {capability}, which no requirement needs"


__all__ = ["INTERFACES", "faults", "find", "galleries", "mutants", "oddballs", "suite_faults", "suites"]
