"""What the strategies make is legal, whoever makes the choices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import ConnectionLost, ConnectOptions, ListenOptions, PingReceived, PongReceived, Role, TcpAddress
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.message import fake_codec
from hioload_ws.fake.network import SimNetwork
from hioload_ws.fake.strategies import (
    Choices,
    any_cuts,
    any_frames,
    any_message,
    any_script,
    any_topology,
    seeded,
)
from hioload_ws.fake.topology import FakeTopology
from hioload_ws.protocol.message import WireMessage


def drawn(data: st.DataObject) -> Choices:
    """Return choices that Hypothesis makes, and shrinks."""
    return Choices(
        lambda low, high: data.draw(st.integers(low, high)),
        lambda most: data.draw(st.binary(max_size=most)),
    )


def check_message(chooser: Choices, role: Role) -> None:
    """Frames, cut anywhere, are the message they were made from."""
    kind, payload = any_message(chooser)
    wire = any_frames(chooser, role, kind, payload)
    peer = fake_codec(Role.SERVER if role is Role.CLIENT else Role.CLIENT)
    found = []
    for piece in any_cuts(chooser, wire):
        for event in peer.receive(memoryview(bytearray(piece))):
            if isinstance(event, WireMessage):
                found.append((event.kind, event.copy()))
            else:
                assert isinstance(event, (PingReceived, PongReceived))
    assert found == [(kind, payload)]


@given(st.data(), st.sampled_from(Role))
def test_messages_survive_their_frames_and_cuts(data: st.DataObject, role: Role) -> None:
    check_message(drawn(data), role)


@pytest.mark.parametrize("seed", range(30))
def test_seeds_choose_as_well(seed: int) -> None:
    check_message(seeded(seed), Role.CLIENT)
    assert any_message(seeded(seed)) == any_message(seeded(seed))


def test_a_seed_is_the_same_on_every_python() -> None:
    chooser = seeded(1)
    assert [chooser.integer(0, 99) for _ in range(5)] == [13, 84, 76, 25, 49]
    assert {chooser.integer(3, 5) for _ in range(100)} == {3, 4, 5}


def check_machine(machine: FakeTopology) -> None:
    assert machine.usable_cpus()
    for node, info in machine.nodes.items():
        assert list(info.distances) == list(machine.nodes)
        assert machine.nearest(node)[0] == node
        assert all(machine.node_of(cpu) == node for cpu in info.cpus)


def test_seeds_make_machines_of_every_kind() -> None:
    machines = [any_topology(seeded(seed)) for seed in range(60)]
    for machine in machines:
        check_machine(machine)
    assert {len(machine.nodes) for machine in machines} >= {1, 2, 3, 4}
    assert any(not info.cpus for machine in machines for info in machine.nodes.values())
    assert any(max(machine.nodes) >= len(machine.nodes) for machine in machines)
    assert {is_symmetric(machine) for machine in machines} == {True, False}
    assert {is_all_online(machine) for machine in machines} == {True, False}


def is_all_online(machine: FakeTopology) -> bool:
    return len(machine.usable_cpus()) == sum(len(info.cpus) for info in machine.nodes.values())


def is_symmetric(machine: FakeTopology) -> bool:
    return all(
        distance == machine.nodes[other].distances[node]
        for node, info in machine.nodes.items()
        for other, distance in info.distances.items()
    )


@given(st.data())
def test_every_machine_has_a_usable_cpu_and_all_distances(data: st.DataObject) -> None:
    check_machine(any_topology(drawn(data)))


@given(st.data())
def test_a_stream_keeps_what_it_delivers_in_order_under_any_script(data: st.DataObject) -> None:
    faults = Faults()
    network = SimNetwork(faults=faults, window_bytes=64)
    address = TcpAddress("b", 80)
    listener = network.host("b").registry.get("tcp").listen(address, ListenOptions())
    near = network.host("a").registry.get("tcp").connect(address, ConnectOptions())
    network.settle()
    [far] = listener.accept_batch(1)
    any_script(drawn(data), faults)
    sent, got, buffer = bytearray(), bytearray(), bytearray(17)
    lost = False
    for number in range(12):
        try:
            near.send([bytes([number]) * 20])
            sent += bytes([number]) * 20
            network.settle()
            while (count_bytes := far.recv_into(buffer)) > 0:
                got += buffer[:count_bytes]
            near.flush()
        except ConnectionLost:
            lost = True
            break
        assert sent.startswith(got)
    for _ in range(20):
        if not lost:
            network.settle()
            while (count_bytes := far.recv_into(buffer)) > 0:
                got += buffer[:count_bytes]
            near.flush()
    assert lost or got == sent


def test_all_faults_of_the_strategy_come_up() -> None:
    kinds: set[str] = set()
    for seed in range(60):
        faults = Faults()
        any_script(seeded(seed), faults, ["send", "recv"])
        for line in faults.unfired():
            kinds.update(word for word in ("Partial", "Delay", "Reset") if word in line)
    assert kinds == {"Partial", "Delay", "Reset"}
