"""``pytest --contract ring=mypackage.rings:MyRing``: a contract as tests, without a line of code.

Each requirement becomes an item named after its id, so that ``-k RNG-04``, ``-x`` and JUnit files work as for
other tests. The items end as those of a subclass do (see ``door.py``): passed, failed with all that is known,
warned, or skipped as unsupported or blocked.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from ..api.errors import InvalidArgument
from .command import find_factory, find_suite
from .door import ContractFailure, run_test, use
from .engine import Options
from .requirement import Requirement
from .suite import Contract
from .trial import KitError


class RequirementItem(pytest.Item):
    """One requirement of a contract, as a test."""

    cls: type[Contract]
    required: Requirement

    def runtest(self) -> None:
        """Run the check."""
        run_test(self.cls(), self.required.id)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """Return the finding; where it comes from in the kit is of no interest."""
        if isinstance(excinfo.value, (ContractFailure, KitError)):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what the test is called in messages."""
        return self.path, None, f"{self.nodeid}: {self.required.sentence}"


class ContractNode(pytest.Collector):
    """One use of ``--contract``."""

    cls: type[Contract]

    def collect(self) -> Iterable[RequirementItem]:
        """Return one item per requirement."""
        items = []
        for each in self.cls.suite.requirements:
            item = RequirementItem.from_parent(self, name=each.id)
            item.cls, item.required = self.cls, each
            items.append(item)
        return items


def class_for(text: str, options: Options) -> type[Contract]:
    """Return the class under test that ``SUITE=MODULE:FACTORY`` means. Raises ``InvalidArgument``."""
    name, equals, locator = text.partition("=")
    if not equals:
        raise InvalidArgument(f"{text!r} is not SUITE=MODULE:FACTORY, such as ring=mypackage.rings:MyRing")
    suite = find_suite(name)
    cls, factory = find_factory(locator, suite)
    if factory is not None:
        cls = type(locator, (suite,), {"make": staticmethod(factory)})
    use(cls, options, locator)
    return cls


class ContractItems:
    """A plug-in of pytest: adds the items."""

    def __init__(self, config: pytest.Config) -> None:
        """Look up what was asked for. Raises ``pytest.UsageError``."""
        self._texts: list[str] = config.getoption("contract")
        options = Options(seed=config.getoption("contract_seed"), full=config.getoption("contract_full"))
        try:
            self._classes = [class_for(text, options) for text in self._texts]
        except InvalidArgument as error:
            raise pytest.UsageError(f"--contract: {error}") from error

    @pytest.hookimpl(tryfirst=True)  # before -k and -m choose
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the items behind those that were found in files."""
        for text, cls in zip(self._texts, self._classes, strict=True):
            node = ContractNode.from_parent(session, name=text, nodeid=text)
            node.cls = cls
            items.extend(node.collect())


__all__ = ["ContractItems", "ContractNode", "RequirementItem", "class_for"]
