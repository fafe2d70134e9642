"""Broken registries of transports, and unusual ones that are right."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ...api.errors import AlreadyExists, InvalidArgument, NotFound, NotSupported
from ...api.registry import Availability, TransportProvider
from ..mutation import Gallery
from ..suites.transport_registry import TransportRegistryContract

GALLERY = Gallery(TransportRegistryContract)

FLAGS = {"zero_copy", "batch", "numa_aware", "lock_free", "shared_memory", "tls", "descriptor", "half_close"}


class Plain:
    """A registry with a lock around everything."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.providers: dict[str, TransportProvider] = {}

    def register(self, provider: TransportProvider) -> None:
        with self.lock:
            if provider.name in self.providers:
                raise AlreadyExists("taken", name=provider.name)
            self.providers[provider.name] = provider

    def replace(self, provider: TransportProvider) -> TransportProvider | None:
        with self.lock:
            before = self.providers.get(provider.name)
            self.providers[provider.name] = provider
            return before

    def names(self) -> Sequence[str]:
        with self.lock:
            return list(self.providers)

    def find(self, name: str) -> TransportProvider:
        with self.lock:
            if name not in self.providers:
                raise NotFound(f"no {name}", known=self.names())
            return self.providers[name]

    def availability(self, name: str) -> Availability:
        return self.find(name).availability()

    def get(self, name: str) -> TransportProvider:
        provider = self.find(name)
        answer = provider.availability()
        if not answer.available:
            raise NotSupported(f"{name}: {answer.reason}")
        return provider

    def check(self, required: dict[str, bool]) -> None:
        if not required.keys() <= FLAGS:
            raise InvalidArgument("no such flag", known=sorted(FLAGS))

    def lacks(self, provider: TransportProvider, required: dict[str, bool]) -> list[str]:
        if not provider.availability().available:
            return [provider.availability().reason]
        features = provider.features()
        return [flag for flag, wanted in required.items() if getattr(features, flag) != wanted]

    def select(self, **required: bool) -> TransportProvider:
        self.check(required)
        told = []
        for provider in self.providers.values():
            lacking = self.lacks(provider, required)
            if not lacking:
                return provider
            told.append(f"{provider.name} lacks {lacking}")
        raise NotSupported("; ".join(told))


GALLERY.oddball("a lock around everything")(Plain)


@GALLERY.oddball("names as a tuple, providers in a list")
class InList(Plain):
    def names(self) -> Sequence[str]:
        return tuple(self.providers)


@GALLERY.mutant("REG-01", "has a provider of its own")
class HasOwn(Plain):
    def names(self) -> Sequence[str]:
        return ["builtin", *super().names()]


@GALLERY.mutant("REG-02", "sorts its names")
class Sorts(Plain):
    def names(self) -> Sequence[str]:
        return sorted(super().names())


@GALLERY.mutant("REG-03", "replaces what is registered already")
class Overwrites(Plain):
    def register(self, provider: TransportProvider) -> None:
        self.replace(provider)


@GALLERY.mutant("REG-03", "has replaced before it refuses")
class OverwritesAndRefuses(Plain):
    def register(self, provider: TransportProvider) -> None:
        if self.replace(provider) is not None:
            raise AlreadyExists("taken")


@GALLERY.mutant("REG-04", "answers with the new one")
class AnswersNew(Plain):
    def replace(self, provider: TransportProvider) -> TransportProvider | None:
        super().replace(provider)
        return provider


@GALLERY.mutant("REG-04", "replaces only what is there")
class OnlyThere(Plain):
    def replace(self, provider: TransportProvider) -> TransportProvider | None:
        self.find(provider.name)
        return super().replace(provider)


@GALLERY.mutant("REG-05", "raises KeyError")
class KeyErrors(Plain):
    def find(self, name: str) -> TransportProvider:
        return self.providers[name]


@GALLERY.mutant("REG-05", "keeps the known names to itself")
class TellsNoNames(Plain):
    def find(self, name: str) -> TransportProvider:
        try:
            return super().find(name)
        except NotFound:
            raise NotFound("no such transport", name=name) from None


@GALLERY.mutant("REG-06", "remembers what was available when it was registered")
class Remembers(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Availability] = {}

    def availability(self, name: str) -> Availability:
        return self.known.setdefault(name, super().availability(name))


@GALLERY.mutant("REG-07", "gives out what does not work")
class GivesBroken(Plain):
    def get(self, name: str) -> TransportProvider:
        return self.find(name)


@GALLERY.mutant("REG-07", "gives no reason")
class NoReason(Plain):
    def get(self, name: str) -> TransportProvider:
        if not self.availability(name).available:
            raise NotSupported("does not work here", name=name)
        return self.find(name)


@GALLERY.mutant("REG-08", "selects what does not work")
class SelectsBroken(Plain):
    def lacks(self, provider: TransportProvider, required: dict[str, bool]) -> list[str]:
        features = provider.features()
        return [flag for flag, wanted in required.items() if getattr(features, flag) != wanted]


@GALLERY.mutant("REG-08", "selects who has one of the flags")
class SelectsAny(Plain):
    def lacks(self, provider: TransportProvider, required: dict[str, bool]) -> list[str]:
        lacking = super().lacks(provider, required)
        return lacking if len(lacking) == max(len(required), 1) else []


@GALLERY.mutant("REG-08", "selects the last one")
class SelectsLast(Plain):
    def select(self, **required: bool) -> TransportProvider:
        fitting = [each for each in self.providers.values() if not self.lacks(each, required)]
        return fitting[-1]


@GALLERY.mutant("REG-09", "takes an unknown flag for one that nobody has")
class UnknownIsFalse(Plain):
    def check(self, required: dict[str, bool]) -> None:
        if not required.keys() <= FLAGS:
            raise NotSupported("nobody has it")


@GALLERY.mutant("REG-10", "does not say why nobody fits")
class SaysNothing(Plain):
    def select(self, **required: bool) -> TransportProvider:
        try:
            return super().select(**required)
        except NotSupported:
            raise NotSupported("nobody fits") from None


@GALLERY.mutant("REG-10", "answers None when nobody fits")
class AnswersNone(Plain):
    def select(self, **required: bool) -> TransportProvider:
        try:
            return super().select(**required)
        except NotSupported:
            return None  # type: ignore[return-value]  # that is what is wrong with it


@GALLERY.mutant("REG-11", "copies, adds, and writes back")
class CopiesAndWrites(Plain):
    def register(self, provider: TransportProvider) -> None:
        copy = dict(self.providers)
        if provider.name in copy:
            raise AlreadyExists("taken")
        copy[provider.name] = provider
        self.providers = copy


__all__ = ["GALLERY"]
