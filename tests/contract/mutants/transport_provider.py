"""Broken providers and listeners, and unusual ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...api.errors import AlreadyExists, ConnectionLost, InvalidArgument, NotSupported, TransportClosed
from ...api.registry import Availability, ConnectOptions, ListenOptions
from ...api.transport import Address, Features, MemoryAddress
from ...api.types import Handle
from ..mutation import Gallery
from ..suites.transport_provider import TransportProviderContract
from .transport_plain import Plain as End

GALLERY = Gallery(TransportProviderContract)


class Door:
    """A listener."""

    def __init__(self, provider: Plain, address: MemoryAddress) -> None:
        self.provider = provider
        self.where = address
        self.waiting: list[End] = []
        self.closed = False

    @property
    def handle(self) -> Handle:
        self.check()
        return Handle(id(self))

    @property
    def address(self) -> MemoryAddress:
        return self.where

    def check(self) -> None:
        if self.closed:
            raise TransportClosed("closed")

    def accept_batch(self, max_count: int) -> Sequence[End]:
        self.check()
        if max_count < 1:
            raise InvalidArgument("1 or more")
        accepted, self.waiting = self.waiting[:max_count], self.waiting[max_count:]
        return accepted

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.provider.doors.pop(self.where, None)
            self.dismiss()

    def dismiss(self) -> None:
        for end in self.waiting:
            end.close()


class Plain:
    """A provider that is right."""

    door: type[Door] = Door
    end: type[End] = End
    name = "plain"

    def __init__(self) -> None:
        self.doors: dict[Address, Door] = {}
        self.numbers = itertools.count()

    def availability(self) -> Availability:
        return Availability(True)

    def features(self) -> Features:
        return self.end.can

    def listen(self, address: Address, options: ListenOptions) -> Door:
        where = self.check(address)
        if options.reuse_port:
            raise NotSupported("names can't be shared")
        if options.backlog < 1:
            raise InvalidArgument("1 or more")
        if where in self.doors:
            raise AlreadyExists("taken")
        self.doors[where] = door = self.door(self, where)
        return door

    def connect(self, address: Address, options: ConnectOptions) -> End:
        where = self.check(address)
        if where not in self.doors:
            return self.nobody()
        near, far = self.end("client"), self.end("server")
        near.peer, far.peer = far, near
        near.local_address = far.peer_address = MemoryAddress(f"client {next(self.numbers)}")
        near.peer_address = far.local_address = where
        self.doors[where].waiting.append(far)
        return near

    def nobody(self) -> End:
        raise ConnectionLost("nobody listens")

    def check(self, address: Address) -> MemoryAddress:
        if not isinstance(address, MemoryAddress):
            raise NotSupported("names only")
        return address


def make_of(kind: type[Plain]) -> Callable[[], object]:
    """Return a factory that is called like the class, of a provider and its addresses."""

    def make() -> tuple[Plain, Callable[[], Address]]:
        numbers = itertools.count()
        return kind(), lambda: MemoryAddress(f"name {next(numbers)}")

    make.__name__ = make.__qualname__ = kind.__name__
    return make


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate a broken provider."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.mutant(kills, why)(make_of(kind))
        return kind

    return add


def oddball(why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate one that is right, and unusual."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.oddball(why)(make_of(kind))
        return kind

    return add


@mutant("LST-01", "forgets its address when it is closed")
class ForgetsAddress(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def close(self) -> None:
            super().close()
            self.where = MemoryAddress("")


@mutant("LST-01", "has another handle each time")
class HandleChanges(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        @property
        def handle(self) -> Handle:
            self.check()
            return Handle(next(self.provider.numbers))


@mutant("LST-02", "answers None when nobody waits")
class AnswersNone(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return super().accept_batch(max_count) or [None]  # type: ignore[list-item]  # that is what is wrong with it


@mutant("LST-03", "accepts each connection twice")
class AcceptsTwice(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        again: Sequence[End] = ()

        def accept_batch(self, max_count: int) -> Sequence[End]:
            accepted = super().accept_batch(max_count)
            again, self.again = self.again, accepted
            return accepted or again


@mutant("LST-03", "connects to nobody")
class ConnectsToNobody(Plain):
    def connect(self, address: Address, options: ConnectOptions) -> End:
        near = super().connect(address, options)
        other = super().connect(address, options)
        self.doors[self.check(address)].waiting.pop(0)
        other.closed = True
        return near


@mutant("LST-04", "accepts all who wait, whatever was asked for")
class AcceptsAll(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return super().accept_batch(max_count and 1000)


@mutant("LST-04", "drops who does not fit")
class DropsRest(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            accepted = super().accept_batch(max_count)
            self.waiting.clear()
            return accepted


@mutant("LST-05", "accepts nobody when asked for nobody")
class AcceptsNobody(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return [] if max_count < 1 else super().accept_batch(max_count)


@mutant("LST-06", "promises a descriptor, and has none")
class NoDescriptor(Plain):
    def features(self) -> Features:
        return replace(End.can, descriptor=True)


@mutant("LST-07", "raises when somebody has gone already")
class RaisesForDead(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            if any(end.peer.closed for end in self.waiting):
                raise ConnectionLost("one of them is gone")
            return super().accept_batch(max_count)


@mutant("LST-07", "takes one who has gone for the last")
class StopsAtDead(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            alive = list(itertools.takewhile(lambda end: not end.peer.closed, self.waiting))
            self.waiting = alive
            return super().accept_batch(max_count)


@mutant("LST-08", "answers with nobody after close")
class NobodyAfterClose(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return [] if self.closed else super().accept_batch(max_count)


@mutant("LST-08", "fails at the second close")
class FailsAtSecondClose(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def close(self) -> None:
            self.check()
            super().close()


@mutant("LST-09", "closes what it accepted")
class ClosesAccepted(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        accepted: Sequence[End] = ()

        def accept_batch(self, max_count: int) -> Sequence[End]:
            self.accepted = super().accept_batch(max_count)
            return self.accepted

        def dismiss(self) -> None:
            super().dismiss()
            for end in self.accepted:
                end.close()


@mutant("LST-10", "leaves those who wait alone")
class LeavesAlone(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def dismiss(self) -> None:
            self.waiting.clear()


@mutant("PRV-01", "has a name for people")
class LongName(Plain):
    name = "Plain Memory"


@mutant("PRV-02", "works, and gives a reason why not")
class ReasonForNothing(Plain):
    def availability(self) -> Availability:
        return Availability(True, "works with names only")


@mutant("PRV-02", "does not work, and does not say why")
class NoReason(Plain):
    def availability(self) -> Availability:
        return Availability(False)


@mutant("PRV-03", "takes the client's address for the listener's")
class OtherPeer(Plain):
    def connect(self, address: Address, options: ConnectOptions) -> End:
        near = super().connect(address, options)
        near.peer_address = near.local_address
        return near


@mutant("LST-01", "says that it does not work, and connects to nowhere")
class RefusesWrongly(Plain):
    def availability(self) -> Availability:
        return Availability(False, "not today")

    def connect(self, address: Address, options: ConnectOptions) -> End:
        return End("nowhere")


@mutant("PRV-04", "promises more than its transports hold")
class PromisesMore(Plain):
    def features(self) -> Features:
        return replace(self.end.can, zero_copy=True)


@mutant("PRV-05", "takes the address over")
class TakesOver(Plain):
    def listen(self, address: Address, options: ListenOptions) -> Door:
        self.doors.pop(address, None)
        return super().listen(address, options)


@mutant("PRV-05", "raises OSError when an address is taken")
class OtherError(Plain):
    def listen(self, address: Address, options: ListenOptions) -> Door:
        try:
            return super().listen(address, options)
        except AlreadyExists as error:
            raise OSError("EADDRINUSE") from error


@mutant("PRV-06", "keeps addresses of listeners that are closed")
class KeepsAddress(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def close(self) -> None:
            super().close()
            self.provider.doors.setdefault(self.where, self)

    def connect(self, address: Address, options: ConnectOptions) -> End:
        return self.nobody() if self.doors[address].closed else super().connect(address, options)


@mutant("PRV-07", "takes any address for a name")
class AnyAddress(Plain):
    def check(self, address: Address) -> MemoryAddress:
        return address if isinstance(address, MemoryAddress) else MemoryAddress(str(address))


@mutant("PRV-08", "connects to nobody, for ever")
class ConnectsForEver(Plain):
    def nobody(self) -> End:
        near = self.end("client")
        near.peer = self.end("nobody")
        return near


@mutant("PRV-09", "refuses to share when it is too late")
class SharesOnce(Plain):
    def listen(self, address: Address, options: ListenOptions) -> Door:
        return super().listen(address, replace(options, reuse_port=False))


@mutant("PRV-10", "takes any backlog")
class AnyBacklog(Plain):
    def listen(self, address: Address, options: ListenOptions) -> Door:
        return super().listen(address, replace(options, backlog=1))


oddball("names in a dictionary")(Plain)


@oddball("accepts one at a time, whatever was asked for")
class OneByOne(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return super().accept_batch(min(max_count, 1))


@oddball("skips who has gone already")
class SkipsDead(Plain):
    class door(Door):  # noqa: N801 - the provider's attribute
        def accept_batch(self, max_count: int) -> Sequence[End]:
            return [end for end in super().accept_batch(max_count) if not end.peer.closed]


@oddball("finds out later that nobody listens")
class LostLater(Plain):
    def nobody(self) -> End:
        near = self.end("client")
        near.lost = True
        return near


@oddball("not here")
class Absent(Plain):
    def availability(self) -> Availability:
        return Availability(False, "no names on this machine")

    def check(self, address: Address) -> MemoryAddress:
        raise NotSupported("no names on this machine")


__all__ = ["GALLERY"]
