"""The contract of ``TransportRegistry``: who is there, who works here, and who fits.

``make`` returns an empty registry. The providers are the suite's own; they say what the checks want.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...api.errors import AlreadyExists, InvalidArgument, NotFound, NotSupported
from ...api.registry import Availability, ConnectOptions, ListenOptions, TransportRegistry
from ...api.transport import Address, Features, Listener, Transport
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

REGISTRY = (
    must("REG-01", "A new registry has no names."),
    must("REG-02", "names() has what was registered, in order; get answers with the very provider.", "REG-01"),
    must("REG-03", "Registering a name that is taken raises AlreadyExists, and nothing changes.", "REG-02"),
    must("REG-04", "replace answers with the provider it replaces, None where there was none.", "REG-02"),
    must("REG-05", "An unknown name raises NotFound, which tells the known ones.", "REG-02"),
    must("REG-06", "availability is that of the provider, asked each time; also for those that don't work.", "REG-02"),
    must("REG-07", "get of what does not work here raises NotSupported with the provider's reason.", "REG-06"),
    must("REG-08", "select answers with the first available provider that has all required flags.", "REG-07"),
    must("REG-09", "select raises InvalidArgument for a flag that does not exist.", "REG-08"),
    must("REG-10", "select raises NotSupported and tells what each candidate lacks, when none fits.", "REG-08"),
    must("REG-11", "Two threads can register at once, and both providers are there.", "REG-02"),
)


class Stub:
    """A provider that says what it is told to."""

    def __init__(self, name: str, reason: str = "", **flags: bool) -> None:
        self.name = name
        self.reason = reason
        self._features = Features(name, **flags)

    def availability(self) -> Availability:
        """Say that it works, unless there is a reason."""
        return Availability(not self.reason, self.reason)

    def features(self) -> Features:
        """Return the flags."""
        return self._features

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        """Nobody asks for it."""
        raise NotSupported(f"{self.name} is a name only")

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        """Nobody asks for it."""
        raise NotSupported(f"{self.name} is a name only")


class TransportRegistryContract(Contract, name="transport-registry", requirements=REGISTRY):
    """What every registry of transports owes; override ``make``."""

    def make(self) -> TransportRegistry:
        """Return a new registry, without providers."""
        raise NotImplementedError

    def registry(self, trial: Trial, *providers: Stub) -> TransportRegistry:
        """Return a fresh registry with these."""
        registry = trial.make(self.make)
        for provider in providers:
            trial.did(f"register({provider.name})")
            registry.register(provider)
        return registry

    @requirement("REG-01")
    def new_one_is_empty(self, trial: Trial) -> None:
        trial.equal(list(self.registry(trial).names()), [], "the names")

    @requirement("REG-02")
    def registered_are_there(self, trial: Trial) -> None:
        providers = [Stub(name) for name in ("zeta", "alpha", "mu")]
        registry = self.registry(trial, *providers)
        trial.equal(list(registry.names()), ["zeta", "alpha", "mu"], "the names")
        for provider in providers:
            trial.same(registry.get(provider.name), provider, f"get({provider.name})")

    @requirement("REG-03")
    def taken_names_are_refused(self, trial: Trial) -> None:
        first = Stub("one")
        registry = self.registry(trial, first, Stub("two"))
        trial.raises(AlreadyExists, "register(one), another", partial(registry.register, Stub("one")))
        trial.same(registry.get("one"), first, "get(one)")
        trial.equal(list(registry.names()), ["one", "two"], "the names")

    @requirement("REG-04")
    def replaced_come_back(self, trial: Trial) -> None:
        first, second, new = Stub("one"), Stub("one"), Stub("new")
        registry = self.registry(trial, first)
        trial.did("replace(one, another)")
        trial.same(registry.replace(second), first, "what replace answers")
        trial.same(registry.get("one"), second, "get(one)")
        trial.did("replace(new), a name that is not there")
        trial.same(registry.replace(new), None, "what replace answers")
        trial.same(registry.get("new"), new, "get(new)")
        trial.equal(sorted(registry.names()), ["new", "one"], "the names")

    @requirement("REG-05")
    def unknown_names_are_refused(self, trial: Trial) -> None:
        registry = self.registry(trial, Stub("one"), Stub("two"))
        for name, call in (("get", registry.get), ("availability", registry.availability)):
            error = trial.raises(NotFound, f"{name}(three)", partial(call, "three"))
            trial.true("one" in str(error) and "two" in str(error), "the error tells the known names", got=str(error))

    @requirement("REG-06")
    def availability_is_asked(self, trial: Trial) -> None:
        provider = Stub("one", "no such card")
        registry = self.registry(trial, provider)
        trial.equal(registry.availability("one"), Availability(False, "no such card"), "the availability")
        trial.did("the card is put in")
        provider.reason = ""
        trial.equal(registry.availability("one"), Availability(True), "the availability then")
        trial.same(registry.get("one"), provider, "get(one) then")

    @requirement("REG-07")
    def unavailable_are_refused(self, trial: Trial) -> None:
        registry = self.registry(trial, Stub("one", "no such card"), Stub("two"))
        error = trial.raises(NotSupported, "get(one), which does not work", partial(registry.get, "one"))
        trial.true("no such card" in str(error), "the error tells the reason", got=str(error))
        trial.equal(list(registry.names()), ["one", "two"], "the names, available or not")

    @requirement("REG-08")
    def selection_fits(self, trial: Trial) -> None:
        first = Stub("first", "broken", zero_copy=True, batch=True)
        second, third = Stub("second", batch=True, half_close=False), Stub("third", batch=True, zero_copy=True)
        registry = self.registry(trial, first, second, third)
        cases: tuple[tuple[dict[str, bool], Stub], ...] = (
            ({}, second),
            ({"batch": True}, second),
            ({"zero_copy": True}, third),
            ({"batch": True, "zero_copy": True}, third),
            ({"half_close": True}, third),
            ({"half_close": False}, second),
        )
        for flags, wanted in cases:
            trial.did(f"select({flags})")
            trial.same(registry.select(**flags), wanted, f"what fits {flags}")

    @requirement("REG-09")
    def unknown_flags_are_refused(self, trial: Trial) -> None:
        registry = self.registry(trial, Stub("one", batch=True))
        for flags in ({"warp": True}, {"batch": True, "warp": False}, {"name": True}):
            trial.raises(InvalidArgument, f"select({flags})", partial(registry.select, **flags))

    @requirement("REG-10")
    def misfits_are_told(self, trial: Trial) -> None:
        registry = self.registry(trial, Stub("one", "no such card"), Stub("two", batch=True))
        call: Callable[[], object] = partial(registry.select, batch=True, numa_aware=True)
        text = str(trial.raises(NotSupported, "select(batch=True, numa_aware=True)", call))
        told = all(word in text for word in ("one", "no such card", "two", "numa_aware"))
        trial.true(told, "the error tells what each one lacks", got=text)

    @requirement("REG-11")
    def registrations_meet(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            registry = self.registry(trial, Stub("old"))
            one, two = Stub("one"), Stub("two")
            trial.did(f"hold register(one) at step {schedule.at}, and register(two) meanwhile")
            schedule.run(partial(registry.register, one), partial(registry.register, two))
            trial.equal(sorted(registry.names()), ["old", "one", "two"], "the names")
            trial.same(registry.get("one"), one, "get(one)")
            trial.same(registry.get("two"), two, "get(two)")


SUITES = (TransportRegistryContract,)

__all__ = ["SUITES", "Stub", "TransportRegistryContract"]
