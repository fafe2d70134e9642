"""The part of a provider's contract about its listeners, and what its checks work with."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from ...api.errors import ConnectionLost, InvalidArgument, TransportClosed
from ...api.registry import ConnectOptions, ListenOptions, TransportProvider
from ...api.transport import Address, Listener, Transport
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial
from .transport_pair import LEAST_SECONDS, TICK_SECONDS, Pair

_must = partial(must, capability="available")

LISTENER = (
    _must("LST-01", "A listener has an address where it really listens, also after close, and a stable handle."),
    _must("LST-02", "With nobody waiting accept_batch answers with nobody, at once.", "LST-01"),
    _must("LST-03", "Who connects is accepted, once, and the two ends are connected.", "LST-02"),
    _must("LST-04", "accept_batch accepts max_count at most; the others still wait.", "LST-03"),
    _must("LST-05", "max_count below 1 raises InvalidArgument, and nobody is lost.", "LST-03"),
    _must("LST-06", "While somebody waits the handle is readable, and not when nobody does.", "LST-03"),
    _must("LST-07", "A connection that ended before it was accepted harms nobody.", "LST-03"),
    _must("LST-08", "After close accept_batch and handle raise TransportClosed; closing again is legal.", "LST-02"),
    _must("LST-09", "What was accepted lives on when the listener is closed.", "LST-03"),
    _must("LST-10", "Who still waits when the listener is closed sees the end, or ConnectionLost.", "LST-03"),
)

Made: TypeAlias = (
    "tuple[TransportProvider, Callable[[], Address]]"
    " | tuple[TransportProvider, Callable[[], Address], Callable[[], object]]"
)


class Venue:
    """A provider at work."""

    def __init__(self, trial: Trial, made: Made) -> None:
        self.trial = trial
        self.provider: TransportProvider = made[0]
        self.fresh_address: Callable[[], Address] = made[1]
        self._step = made[2] if len(made) == 3 else None

    def listen(self, address: Address | None = None) -> Listener:
        """Listen at an address, or a fresh one."""
        where = self.fresh_address() if address is None else address
        self.trial.did(f"listen({where})")
        listener = self.provider.listen(where, ListenOptions())
        self.trial.defer(listener.close)
        return listener

    def connect(self, listener: Listener) -> Transport:
        """Start to connect to a listener."""
        self.trial.did(f"connect({listener.address})")
        client = self.provider.connect(listener.address, ConnectOptions())
        self.trial.defer(client.close)
        return client

    def pass_time(self) -> float:
        """Let the world go on for a moment; return what of it counts."""
        self.trial.alive()
        begin = time.monotonic()
        if self._step is not None:
            self._step()
        else:
            time.sleep(LEAST_SECONDS)
        return max(min(time.monotonic() - begin, TICK_SECONDS), LEAST_SECONDS)

    def accept(self, listener: Listener, count: int, *, most: int = 100) -> list[Transport]:
        """Accept ``count`` connections, up to ``most`` at a time; fail when they don't come."""
        accepted: list[Transport] = []
        quiet_seconds = 0.0
        self.trial.did(f"accept_batch({most}) until {count} have come")
        while len(accepted) < count:
            batch = listener.accept_batch(most)
            self.trial.true(len(batch) <= most, f"accept_batch({most}) accepts no more", got=len(batch))
            for end in batch:
                self.trial.defer(end.close)
            accepted += batch
            quiet_seconds = 0.0 if batch else quiet_seconds + self.pass_time()
            if quiet_seconds >= self.trial.patience_seconds:
                self.trial.fail("who connected is not accepted", got=len(accepted), wanted=count)
        self.trial.equal(len(accepted), count, "how many were accepted")
        return accepted

    def accept_last(self, listener: Listener) -> Transport:
        """Accept who waits, and return the last one; there may be others, that came for a moment."""
        accepted: list[Transport] = []
        quiet_seconds = 0.0
        self.trial.did("accept_batch(100) until somebody has come")
        while not accepted:
            accepted = list(listener.accept_batch(100))
            for end in accepted:
                self.trial.defer(end.close)
            quiet_seconds += self.pass_time()
            if quiet_seconds >= self.trial.patience_seconds:
                self.trial.fail("who connected is not accepted", got=accepted, wanted="a transport")
        return accepted[-1]

    def talk(self, client: Transport, server: Transport) -> None:
        """Expect that two ends are connected with each other."""
        ends = (client, server) if self._step is None else (client, server, self._step)
        pair = Pair(self.trial, ends)
        pair.come_to_rest()
        pair.transfer(client, self.trial.rng.randbytes(100))
        pair.transfer(server, self.trial.rng.randbytes(100))

    def expect_lost(self, end: Transport) -> None:
        """Expect that calls that move bytes come to ConnectionLost, or to the end of the stream."""
        quiet_seconds = 0.0
        while quiet_seconds < self.trial.patience_seconds:
            try:
                if end.interest:
                    end.flush()
                if end.recv_into(bytearray(16)) == 0:
                    return
            except ConnectionLost:
                return
            quiet_seconds += self.pass_time()
        self.trial.fail("it neither ends nor is lost", wanted=ConnectionLost)

    def is_readable(self, listener: Listener) -> bool:
        """Return whether a poller of the system reports the handle now."""
        with selectors.DefaultSelector() as selector:
            selector.register(listener.handle, selectors.EVENT_READ)
            return bool(selector.select(0))

    @property
    def watchable(self) -> bool:
        """Whether a poller of the system can watch the handles."""
        return self.provider.features().descriptor


class ListenerContract(Contract, name="transport-provider", requirements=()):
    """Listeners."""

    def make(self) -> Made:
        """Return a new provider and a function that returns an address where nobody listens yet; with a third
        element, a function that lets their world go on."""
        raise NotImplementedError

    def venue(self, trial: Trial) -> Venue:
        """Return a fresh provider."""
        return Venue(trial, trial.make(self.make))

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return ``available`` where it says that it works here."""
        answer = self.venue(trial).provider.availability()
        return frozenset({"available"}) if answer.available else frozenset()

    @requirement("LST-01")
    def identity_is_stable(self, trial: Trial) -> None:
        listener = self.venue(trial).listen()
        address, handle = listener.address, listener.handle
        trial.true("0" != str(getattr(address, "port", 1)), "the port is the chosen one, and not 0", got=address)
        trial.equal((listener.address, listener.handle), (address, handle), "address and handle, again")
        trial.did("close()")
        listener.close()
        trial.equal(listener.address, address, "the address after close")

    @requirement("LST-02")
    def nobody_waits(self, trial: Trial) -> None:
        listener = self.venue(trial).listen()
        for most in (1, 1000):
            trial.did(f"accept_batch({most})")
            trial.equal(list(listener.accept_batch(most)), [], "who was accepted")

    @requirement("LST-03")
    def connections_are_accepted(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        for _ in range(3):
            client = venue.connect(listener)
            [server] = venue.accept(listener, 1)
            venue.talk(client, server)
        trial.equal(list(listener.accept_batch(10)), [], "who was accepted in the end")

    @requirement("LST-04")
    def batches_are_bounded(self, trial: Trial) -> None:
        for most in (1, 3, 100):
            venue = self.venue(trial)
            listener = venue.listen()
            clients = [venue.connect(listener) for _ in range(7)]
            servers = venue.accept(listener, 7, most=most)
            handles = {end.handle for end in (*clients, *servers)}
            trial.equal(len(handles), 14, "how many different handles the ends have")
            trial.equal(list(listener.accept_batch(10)), [], "who was accepted in the end")

    @requirement("LST-05")
    def no_count_is_refused(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        client = venue.connect(listener)
        for most in (0, -1):
            trial.raises(InvalidArgument, f"accept_batch({most})", partial(listener.accept_batch, most))
        [server] = venue.accept(listener, 1)
        venue.talk(client, server)

    @requirement("LST-06")
    def handle_is_readable(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        if not venue.watchable:
            trial.note("no poller of the system can watch its handle")
            return
        trial.true(not venue.is_readable(listener), "nobody waits, and the handle is not readable")
        for _ in range(2):
            venue.connect(listener)
        for number in range(2):
            quiet_seconds = 0.0
            while not venue.is_readable(listener):
                quiet_seconds += venue.pass_time()
                trial.true(quiet_seconds < trial.patience_seconds, "somebody waits, and the handle is readable")
            venue.accept(listener, 1, most=1)
            trial.did(f"{number + 1} of 2 are accepted")
        trial.true(not venue.is_readable(listener), "nobody waits any more, and the handle is not readable")

    @requirement("LST-07")
    def dead_ones_do_no_harm(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        first, dead, last = (venue.connect(listener) for _ in range(3))
        trial.did("the second of three that wait is closed")
        dead.close()
        accepted: list[Transport] = []
        quiet_seconds = 0.0
        while len(accepted) < 3 and quiet_seconds < trial.patience_seconds / 4:
            batch = listener.accept_batch(10)
            for end in batch:
                trial.defer(end.close)
            accepted += batch
            quiet_seconds = 0.0 if batch else quiet_seconds + venue.pass_time()
        trial.true(len(accepted) in (2, 3), "the two that live are accepted", got=len(accepted))
        venue.talk(first, accepted[0])
        venue.talk(last, accepted[-1])

    @requirement("LST-08")
    def closed_is_closed(self, trial: Trial) -> None:
        listener = self.venue(trial).listen()
        for _ in range(2):
            trial.did("close()")
            listener.close()
        trial.raises(TransportClosed, "accept_batch(1) after close", partial(listener.accept_batch, 1))
        trial.raises(TransportClosed, "handle after close", lambda: listener.handle)

    @requirement("LST-09")
    def accepted_live_on(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        client = venue.connect(listener)
        [server] = venue.accept(listener, 1)
        trial.did("close() of the listener")
        listener.close()
        venue.talk(client, server)

    @requirement("LST-10")
    def waiting_ones_are_told(self, trial: Trial) -> None:
        venue = self.venue(trial)
        listener = venue.listen()
        clients = [venue.connect(listener) for _ in range(2)]
        venue.pass_time()
        trial.did("close() of the listener, while two wait")
        listener.close()
        for client in clients:
            venue.expect_lost(client)


__all__ = ["LISTENER", "ListenerContract", "Made", "Venue"]
