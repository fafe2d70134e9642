"""Suite: the contract of one interface as a class.

A suite names its requirements, and for each has a method that proves it, marked with the id. It says nothing
about any implementation: that comes in through ``make``, which returns a fresh one. There are two kinds of
subclass, told apart by the keyword ``requirements``:

- with it, the class *is* a suite (it may extend another, whose requirements it inherits);
- without it, the class is somebody's implementation put under a suite, by a ``make`` of its own. Such a class
  gets one method ``test_<id>`` per requirement, so pytest and unittest both run it as they find it, without a
  plug-in.

Only ``make`` is the user's. A check that was overridden is not run and fails as *tampered*: a contract that can
be edited by the one it binds is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import ClassVar, Final, Self

from .requirement import Requirement, checked_id, refused_capability
from .trial import Trial

Check = Callable[..., None]
"""A method of a suite, called with the suite and a ``Trial``."""

_USERS_OWN: Final = frozenset({"make", "requirements", "checks", "refusals"})


class Contract:
    """Base of all suites. A suite adds ``make``, whose parameters are what its checks need to vary."""

    name: ClassVar[str] = ""
    """What the command line calls the suite."""
    requirements: ClassVar[tuple[Requirement, ...]] = ()
    checks: ClassVar[Mapping[str, Check]] = MappingProxyType({})
    """The proof of each requirement, by id."""
    refusals: ClassVar[Mapping[str, Check]] = MappingProxyType({})
    """What holds without a capability, by its name."""
    suite: ClassVar[type[Contract]]
    """The suite itself, where the class is somebody's implementation under it."""

    def __init_subclass__(
        cls, *, requirements: tuple[Requirement, ...] | None = None, name: str = "", **options: object
    ) -> None:
        super().__init_subclass__(**options)
        if requirements is None:
            _add_tests(cls)
            return
        cls.suite = cls
        cls.name = name
        cls.requirements = cls.requirements + requirements
        # Also those of bases without a suite of their own: a long suite is written in parts.
        found = [each for base in reversed(cls.__mro__) for each in vars(base).values()]
        functions = [each for each in found if isinstance(each, FunctionType)]
        checks = {id: each for each in functions if (id := checked_id(each)) is not None}
        refusals = {word: each for each in functions if (word := refused_capability(each)) is not None}
        cls.checks = MappingProxyType(checks)
        cls.refusals = MappingProxyType(refusals)

    @classmethod
    def bound(cls, factory: Callable[..., object] | None) -> Self:
        """Return the suite with ``factory`` as its ``make`` (``None``: the one the class has)."""
        instance = cls()
        if factory is not None:
            setattr(instance, "make", factory)
        return instance

    @classmethod
    def tampered(cls) -> frozenset[str]:
        """Return the names of the suite's that a user's class has overridden, ``make`` aside."""
        suite = cls.suite
        found: set[str] = set()
        for between in cls.__mro__[: cls.__mro__.index(suite)]:
            found |= {each for each in vars(between) if hasattr(suite, each) and not each.startswith("__")}
        return frozenset(found - _USERS_OWN)

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return the capabilities that the implementation says it has. A suite with capabilities overrides
        it and asks a subject."""
        return frozenset()

    def capabilities(self) -> tuple[str, ...]:
        """Return the capabilities that the requirements know, in their order."""
        return tuple(dict.fromkeys(each.capability for each in self.requirements if each.capability))


def _add_tests(cls: type[Contract]) -> None:
    """Give somebody's class one test per requirement, unless it is an intermediate one without ``make``."""
    for each in cls.suite.requirements:
        name = f"test_{each.id.replace('-', '_')}"
        if name not in vars(cls):
            setattr(cls, name, _test(each, name))


def _test(required: Requirement, name: str) -> Callable[[Contract], None]:
    def test(self: Contract) -> None:
        __tracebackhide__ = True
        from .door import run_test  # the engine runs suites, so it can't be imported while they load

        run_test(self, required.id)

    test.__name__ = name
    test.__qualname__ = name
    test.__doc__ = f"{required.id} ({required.level}): {required.sentence}"
    return test


__all__ = ["Check", "Contract"]
