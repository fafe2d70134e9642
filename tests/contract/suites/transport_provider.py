"""The contract of ``TransportProvider`` and of the ``Listener`` that it makes: who connects is accepted, once.

``make`` returns a provider and a function that returns an address where nobody listens yet (one with port 0 will
do); with a third element where no poller of the system can watch its handles: a function that lets their world go
on. The part about listeners is in ``listener.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import cast

from ...api.errors import AlreadyExists, ConnectionLost, InvalidArgument, NotSupported
from ...api.registry import ConnectOptions, ListenOptions
from ...api.transport import Address
from ..requirement import must, refusal, requirement, should
from ..trial import Trial
from .listener import LISTENER, ListenerContract

_must, _should = (partial(level, capability="available") for level in (must, should))

PROVIDER = (
    must("PRV-01", "The name is short, lower case, and the same each time."),
    must("PRV-02", "availability() never raises, and has a reason exactly where it does not work."),
    _must("PRV-03", "Who connects gets a transport at once, whose peer is the listener's address.", "LST-02"),
    _must("PRV-04", "The features of the transports are those of the provider, but for TLS.", "PRV-03"),
    _must("PRV-05", "Listening where somebody listens raises AlreadyExists, and harms nobody.", "PRV-03"),
    _must("PRV-06", "An address can be listened at again once its listener is closed.", "PRV-03"),
    _must("PRV-07", "An address of another kind raises NotSupported, for listen and connect.", "PRV-03"),
    _must("PRV-08", "Where nobody listens, connect raises ConnectionLost, or a call that moves bytes.", "PRV-03"),
    _must("PRV-09", "reuse_port lets two listen at one address, or raises NotSupported.", "PRV-05"),
    _should("PRV-10", "A backlog below 1 raises InvalidArgument.", "PRV-03"),
)


@dataclass(frozen=True)
class ForeignAddress:
    """An address of a kind that no transport has."""

    galaxy: str = "far away"


class TransportProviderContract(
    ListenerContract, name="transport-provider", requirements=(PROVIDER[0], PROVIDER[1], *LISTENER, *PROVIDER[2:])
):
    """What every provider owes, and its listeners; override ``make``."""

    @requirement("PRV-01")
    def name_is_constant(self, trial: Trial) -> None:
        provider = self.venue(trial).provider
        name = provider.name
        trial.true(name and name == name.lower() and not any(each.isspace() for each in name), "lower case", got=name)
        trial.equal(provider.name, name, "the name, again")

    @requirement("PRV-02")
    def availability_has_a_reason(self, trial: Trial) -> None:
        provider = self.venue(trial).provider
        for _ in range(2):
            answer = provider.availability()
            trial.equal(bool(answer.reason), not answer.available, "whether there is a reason")

    @requirement("PRV-03")
    def connecting_connects(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        client = venue.connect(listener)
        trial.equal(client.peer_address, listener.address, "the peer's address of the end that connected")
        [server] = venue.accept(listener, 1)
        trial.equal(server.local_address, listener.address, "the own address of the end that was accepted")
        venue.talk(client, server)

    @requirement("PRV-04")
    def features_agree(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        client = venue.connect(listener)
        [server] = venue.accept(listener, 1)
        promised = venue.provider.features()
        for end in (client, server):
            found = end.features()
            for field in fields(promised):
                if field.name != "tls":
                    what = f"{field.name} of a transport, and of the provider"
                    trial.equal(getattr(found, field.name), getattr(promised, field.name), what)

    @requirement("PRV-05")
    def taken_addresses_are_refused(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        address = listener.address
        for _ in range(2):
            call = f"listen({address}), where somebody listens"
            trial.raises(AlreadyExists, call, partial(venue.provider.listen, address, ListenOptions()))
        client = venue.connect(listener)
        venue.talk(client, venue.accept_last(listener))  # who asked whether somebody listens may have come, too

    @requirement("PRV-06")
    def addresses_are_given_back(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        client = venue.connect(listener)
        [server] = venue.accept(listener, 1)
        for _ in range(3):
            address = listener.address
            trial.did("close() of the listener, and listen at its address again")
            listener.close()
            listener = venue.listen(address)
        venue.talk(client, server)
        second = venue.connect(listener)
        [other] = venue.accept(listener, 1)
        venue.talk(second, other)

    @requirement("PRV-07")
    def foreign_addresses_are_refused(self, trial: Trial) -> None:
        provider = self.venue(trial).provider
        foreign = cast(Address, ForeignAddress())
        trial.raises(NotSupported, "listen(a foreign address)", partial(provider.listen, foreign, ListenOptions()))
        trial.raises(NotSupported, "connect(it)", partial(provider.connect, foreign, ConnectOptions()))

    @requirement("PRV-08")
    def nobody_is_told(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        address = listener.address
        listener.close()
        trial.did(f"connect({address}), where nobody listens any more")
        try:
            client = venue.provider.connect(address, ConnectOptions())
        except ConnectionLost:
            return
        trial.defer(client.close)
        venue.expect_lost(client)

    @requirement("PRV-09")
    def ports_are_shared_or_not(self, trial: Trial) -> None:
        venue = self.venue(trial)
        options = ListenOptions(reuse_port=True)
        trial.did("listen(an address, reuse_port), twice")
        try:
            first = venue.provider.listen(venue.fresh_address(), options)
        except NotSupported:
            venue.listen()
            return
        trial.defer(first.close)
        second = venue.provider.listen(first.address, options)
        trial.defer(second.close)
        trial.equal(second.address, first.address, "the address of the second")

    @requirement("PRV-10")
    def no_backlog_is_refused(self, trial: Trial) -> None:
        venue = self.venue(trial)
        for backlog in (0, -1):
            call = partial(venue.provider.listen, venue.fresh_address(), ListenOptions(backlog=backlog))
            trial.raises(InvalidArgument, f"listen(an address, backlog={backlog})", call)

    @refusal("available")
    def unavailable_is_refused(self, trial: Trial) -> None:
        venue = self.venue(trial)
        address = venue.fresh_address()
        listen = partial(venue.provider.listen, address, ListenOptions())
        connect = partial(venue.provider.connect, address, ConnectOptions())
        for name, call in (("listen", listen), ("connect", connect)):
            error = trial.raises(NotSupported, f"{name}, though it is not available", call)
            reason = venue.provider.availability().reason
            trial.true(reason in str(error), "the error tells the reason", got=str(error), wanted=reason)
        venue.provider.features()


SUITES = (TransportProviderContract,)

__all__ = ["SUITES", "TransportProviderContract"]
