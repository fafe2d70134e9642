"""The registry: names, reasons, selection, and providers that are not there."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from hioload_ws.api.errors import AlreadyExists, InvalidArgument, NotFound, NotSupported
from hioload_ws.api.registry import (
    Availability,
    ConnectOptions,
    ListenOptions,
    TransportProvider,
    TransportRegistry,
)
from hioload_ws.api.transport import Address, Features, Listener, MemoryAddress, Transport
from hioload_ws.transport.absent import (
    AbsentProvider,
    absent_providers,
    look_for_af_packet,
    look_for_dpdk,
    look_for_io_uring,
    look_for_iocp,
    look_for_rdma,
    look_for_shared_memory,
)
from hioload_ws.transport.provider import StreamProvider
from hioload_ws.transport.registry import Registry, default_registry


class Stub:
    """A provider that is what the test says."""

    def __init__(self, features: Features, reason: str = "") -> None:
        self._features = features
        self.reason = reason

    @property
    def name(self) -> str:
        return self._features.name

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason)

    def features(self) -> Features:
        return self._features

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        raise NotImplementedError

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        raise NotImplementedError


@pytest.fixture
def registry() -> TransportRegistry:
    made = Registry()
    made.register(Stub(Features("broken", zero_copy=True), "no driver"))
    made.register(Stub(Features("plain")))
    made.register(Stub(Features("fast", zero_copy=True, batch=True)))
    return made


def test_names_come_in_order_of_registration_available_or_not(registry: TransportRegistry) -> None:
    assert list(registry.names()) == ["broken", "plain", "fast"]


def test_a_taken_name_is_refused(registry: TransportRegistry) -> None:
    with pytest.raises(AlreadyExists):
        registry.register(Stub(Features("plain")))


def test_replacing_returns_the_one_before_and_keeps_its_place(registry: TransportRegistry) -> None:
    before = registry.get("plain")
    after = Stub(Features("plain", batch=True))
    assert registry.replace(after) is before
    assert registry.get("plain") is after
    assert registry.replace(Stub(Features("new"))) is None
    assert list(registry.names()) == ["broken", "plain", "fast", "new"]


def test_a_snapshot_of_the_names_does_not_change(registry: TransportRegistry) -> None:
    names = registry.names()
    registry.register(Stub(Features("later")))
    assert "later" not in names and "later" in registry.names()


def test_an_unknown_name_is_answered_with_the_known_ones(registry: TransportRegistry) -> None:
    for call in (registry.get, registry.availability):
        with pytest.raises(NotFound) as caught:
            call("carrier-pigeon")
        assert caught.value.context["known"] == ["broken", "plain", "fast"]


def test_what_can_not_work_here_is_refused_with_the_reason(registry: TransportRegistry) -> None:
    assert registry.availability("broken") == Availability(False, "no driver")
    with pytest.raises(NotSupported, match="no driver"):
        registry.get("broken")


def test_select_returns_the_first_available_one_that_fits(registry: TransportRegistry) -> None:
    assert registry.select().name == "plain"
    assert registry.select(zero_copy=True).name == "fast"
    assert registry.select(zero_copy=True, batch=True).name == "fast"
    assert registry.select(zero_copy=False).name == "plain"


def test_select_says_what_each_candidate_lacks(registry: TransportRegistry) -> None:
    with pytest.raises(NotSupported) as caught:
        registry.select(tls=True, batch=True)
    assert "broken: no driver" in caught.value.message
    assert "plain: not tls=True, batch=True" in caught.value.message
    assert "fast: not tls=True" in caught.value.message
    with pytest.raises(NotSupported, match="none is registered"):
        Registry().select()


@pytest.mark.parametrize("flag", ["speed", "name"])
def test_selecting_by_a_flag_that_does_not_exist_is_refused(registry: TransportRegistry, flag: str) -> None:
    with pytest.raises(InvalidArgument):
        registry.select(**{flag: True})


def test_the_default_registry_has_what_works_first_and_what_is_planned_after() -> None:
    registry = default_registry()
    assert list(registry.names())[:3] == ["tcp", "unix", "memory"]
    for name in ("tcp", "unix", "memory"):
        assert registry.availability(name).available
        assert registry.get(name).name == name
    assert registry.select(tls=True).name == "tcp"
    for name in registry.names()[3:]:
        answer = registry.availability(name)
        assert not answer.available
        assert answer.reason.startswith(f"{name} is not implemented in this version (")
        with pytest.raises(NotSupported):
            registry.get(name)
    with pytest.raises(NotSupported):
        registry.select(shared_memory=True)


def test_an_absent_transport_refuses_with_its_reason() -> None:
    provider: TransportProvider
    for provider in absent_providers():
        assert provider.features() == Features(provider.name, half_close=False)
        with pytest.raises(NotSupported, match="not implemented"):
            provider.listen(MemoryAddress("x"), ListenOptions())
        with pytest.raises(NotSupported, match="not implemented"):
            provider.connect(MemoryAddress("x"), ConnectOptions())


def test_looking_that_fails_is_a_part_of_the_reason() -> None:
    def look(root: Path) -> str:
        raise OSError(errno.EIO, "broken disk")

    assert "broken disk" in AbsentProvider("x", look).availability().reason


@pytest.mark.parametrize(
    ("switch", "state"), [("0", "on)"), ("1", "privileged"), ("2", "off"), ("7", "unknown")]
)
def test_io_uring_is_what_the_switch_says(tmp_path: Path, switch: str, state: str) -> None:
    assert "does not say" in look_for_io_uring(tmp_path)
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/io_uring_disabled").write_text(switch + "\n")
    assert state in look_for_io_uring(tmp_path) + ")"


def test_rdma_lists_the_adapters(tmp_path: Path) -> None:
    assert look_for_rdma(tmp_path).endswith("none")
    (tmp_path / "sys/class/infiniband/mlx5_0").mkdir(parents=True)
    assert look_for_rdma(tmp_path).endswith("mlx5_0")


def test_dpdk_counts_pages_and_looks_for_the_device(tmp_path: Path) -> None:
    assert "no VFIO device and 0 huge pages" in look_for_dpdk(tmp_path)
    for name, content in (("dev/vfio/vfio", ""), ("proc/sys/vm/nr_hugepages", "64\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    assert "has VFIO device and 64 huge pages" in look_for_dpdk(tmp_path)


def test_shared_memory_needs_a_directory_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no usable" in look_for_shared_memory(tmp_path)
    (tmp_path / "dev/shm").mkdir(parents=True)
    assert "a usable" in look_for_shared_memory(tmp_path)
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert "no usable" in look_for_shared_memory(tmp_path)


def test_iocp_belongs_to_another_system(tmp_path: Path) -> None:
    assert "Windows" in look_for_iocp(tmp_path)


@pytest.mark.parametrize(("number", "answer"), [(0, "may open"), (errno.EPERM, "may not open")])
def test_packet_sockets_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, answer: str
) -> None:
    class Tried:
        def __init__(self, *arguments: int) -> None:
            if number:
                raise OSError(number, os.strerror(number))

        def close(self) -> None:
            pass

    monkeypatch.setattr(socket, "socket", Tried)
    assert answer in look_for_af_packet(tmp_path)


def test_packet_sockets_may_be_missing_or_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: int) -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(OSError, match="too many"):
        look_for_af_packet(tmp_path)
    monkeypatch.delattr(socket, "AF_PACKET")
    assert "no packet sockets" in look_for_af_packet(tmp_path)


def test_a_kind_adds_three_methods_to_the_provider() -> None:
    class Empty(StreamProvider):
        FEATURES = Features("empty")

    provider = Empty()
    for call in (
        provider.availability,
        lambda: provider.listen(MemoryAddress("x"), ListenOptions()),
        lambda: provider.connect(MemoryAddress("x"), ConnectOptions()),
    ):
        with pytest.raises(NotImplementedError):
            call()
