"""What connections share."""

from __future__ import annotations

import threading

import pytest

from hioload_ws.adapters.hub import ConnectionSettings, MaskKeys, ns
from hioload_ws.api import WrongThread
from hioload_ws.control import ServerConfig
from tests.adapters.bench import Bench


def test_masking_keys_are_fresh_over_many_blocks() -> None:
    keys = MaskKeys()
    drawn = [keys() for _ in range(2000)]
    assert {len(key) for key in drawn} == {4}
    assert len(set(drawn)) > 1990  # 2000 of 2**32: a repetition is unlikely, ten are impossible


def test_seconds_become_nanoseconds() -> None:
    assert ns(0.05) == 50_000_000
    assert ns(0) == 0


def test_settings_are_those_of_the_configuration() -> None:
    settings = ConnectionSettings.from_config(ServerConfig(max_message_bytes=77, idle_timeout_s=1.5))
    assert settings.limits.max_message_bytes == 77
    assert settings.idle_timeout_ns == 1_500_000_000


def test_without_an_owner_any_thread_may_act_and_with_one_only_that(bench: Bench) -> None:
    bench.hub.check_thread()
    bench.hub.owner_id = threading.get_ident()
    bench.hub.check_thread()
    bench.hub.owner_id += 1
    with pytest.raises(WrongThread):
        bench.hub.check_thread()
    bench.hub.owner_id = None


def test_what_is_sent_to_many_leaves_at_the_end_of_the_turn_once_each(bench: Bench) -> None:
    opened = [bench.open() for _ in range(3)]
    before = [len(peer.transport.batches) for _, peer in opened]
    for _ in range(5):
        for connection, _ in opened:
            connection.send(b"x")
    assert [len(peer.transport.batches) for _, peer in opened] == before
    bench.turn()
    assert [len(peer.transport.batches) for _, peer in opened] == [count + 1 for count in before]
    assert all(peer.messages() == [b"x"] * 5 for _, peer in opened)


def test_sending_from_a_close_handler_at_the_end_of_the_turn_is_not_lost(bench: Bench) -> None:
    lost, peer_of_lost = bench.open()
    survivor, peer_of_survivor = bench.open()
    bench.host.on_end = lambda connection: survivor.send(b"they are gone")
    lost.send(b"never arrives")
    peer_of_lost.transport.reset()
    lost.flush()
    bench.turn()
    bench.host.on_end = lambda connection: None
    assert peer_of_survivor.messages() == [b"they are gone"]


def test_closing_a_hub_twice_is_harmless(bench: Bench) -> None:
    bench.hub.close()
    bench.hub.close()
    assert bench.pool.stats().in_use_count == 0
