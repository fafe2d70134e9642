"""The contracts of contexts and their factories, on those of sessions, of a server, and in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hioload_ws.adapters.server_sessions import InheritingContexts
from hioload_ws.api import Clock
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.context import ContextContract, ContextFactoryContract
from hioload_ws.fake import VirtualClock, virtual_context, virtual_contexts, virtual_session
from hioload_ws.session import ValueContext, ValueContextFactory
from tests.kit.holding import hold


def inheriting(clock: Clock) -> InheritingContexts:
    return InheritingContexts(ValueContext(clock))


def of_session(clock: VirtualClock) -> object:
    return virtual_session(clock).context


CONTEXTS: Mapping[str, Factory] = {
    "ValueContext": ValueContext,
    "virtual_context()": virtual_context,
    "virtual_session().context": of_session,
}
FACTORIES: Mapping[str, Factory] = {
    "ValueContextFactory": ValueContextFactory,
    "virtual_contexts()": virtual_contexts,
    "InheritingContexts": inheriting,
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_context_of_ours_is_conformant(name: str) -> None:
    hold(ContextContract, CONTEXTS[name], name)


@pytest.mark.parametrize("name", FACTORIES)
def test_every_factory_of_ours_is_conformant(name: str) -> None:
    hold(ContextFactoryContract, FACTORIES[name], name)
