"""The contracts of contexts and their factories, on those of sessions, of a server, and in virtual time."""

from __future__ import annotations

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


@pytest.mark.parametrize("make", [ValueContext, virtual_context, of_session])
def test_every_context_of_ours_is_conformant(make: Factory) -> None:
    hold(ContextContract, make)


@pytest.mark.parametrize("make", [ValueContextFactory, virtual_contexts, inheriting])
def test_every_factory_of_ours_is_conformant(make: Factory) -> None:
    hold(ContextFactoryContract, make)
