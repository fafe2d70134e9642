"""A short fuzz run with fixed seeds, and proof that the fuzzer would say so if there were something to find."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Final

import pytest

from hioload_ws.api.codec import Role
from hioload_ws.protocol.receiver import Receiver
from tests.fuzz import worker
from tests.fuzz.mutator import CORPUS, MAX_INPUT_BYTES, MAX_PARENTS, MAX_SIGNATURES, Mutator, load_seeds, parse_seed
from tests.fuzz.targets import TARGETS, CodecTarget, Finding, cut_by
from tests.fuzz.worker import Job, repeat, work

RUN: Final = Path(__file__).with_name("run.py")
INPUTS: Final = 1500


@pytest.mark.usefixtures("frozen_heap")
@pytest.mark.parametrize("name", TARGETS)
def test_some_thousand_inputs_then_nothing_is_found(name: str) -> None:
    (done,) = work(Job([name], "smoke", inputs=INPUTS))
    assert not done.failure, f"{done.failure}\n{done.data!r}"
    assert done.inputs == INPUTS
    assert done.signatures > 10


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_then_nothing_is_found(name: str) -> None:
    seeds = load_seeds(name)
    assert seeds
    assert [failure for seed in seeds if (failure := repeat(name, seed))] == []


def test_the_corpus_then_every_file_of_it_belongs_to_a_target() -> None:
    assert {file.stem for file in CORPUS.iterdir()} == set(TARGETS)


def test_a_codec_that_depends_on_the_cuts_then_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    true_receive = Receiver.receive

    def forgets_short_pieces(self: Receiver, data: memoryview) -> object:
        return true_receive(self, data[: 0 if len(data) == 3 else len(data)])

    monkeypatch.setattr(Receiver, "receive", forgets_short_pieces)
    (done,) = work(Job(["codec-server"], "smoke", inputs=INPUTS))
    assert "cut: " in done.failure
    assert "cut: " in repeat("codec-server", done.data)


def test_a_codec_that_raises_then_the_input_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(self: Receiver, data: memoryview) -> object:
        raise IndexError("of all things")

    monkeypatch.setattr(Receiver, "receive", raises)
    (done,) = work(Job(["codec-client", "uri"], "smoke", inputs=10))
    assert "IndexError: of all things" in done.failure
    assert done.inputs == 0 and done.data


def test_a_codec_that_the_clear_parser_contradicts_then_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hioload_ws.protocol.close.is_wire_code", lambda code: 999 < code < 5000)
    target = CodecTarget(Role.CLIENT)
    with pytest.raises(Finding, match="the clear parser says"):
        for number in range(1000):  # one input in sixteen is given to the clear parser
            target(b"\x8a\x02" + number.to_bytes(2, "big") + b"\x88\x02\x03\xed")
    target.close()


def test_memory_that_grows_then_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter((1000, 1001 + worker.MAX_GROWTH_BYTES))
    monkeypatch.setattr(worker, "resident_bytes", lambda: next(sizes))
    (done,) = work(Job(["uri"], "smoke", inputs=50))
    assert "memory grew" in done.failure


def test_an_input_that_takes_long_then_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_INPUT_S", 0.0)
    (done,) = work(Job(["uri"], "smoke", inputs=50))
    assert "the input took" in done.failure


@pytest.mark.usefixtures("frozen_heap")
def test_what_is_done_between_inputs_then_none_of_them_is_charged_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    used_s: list[float] = []

    def resident_bytes() -> int:  # as one in a large process, where it collects garbage for seconds
        start_s = time.thread_time()
        while time.thread_time() - start_s <= 2 * worker.MAX_INPUT_S:
            pass
        used_s.append(time.thread_time() - start_s)
        return 1

    monkeypatch.setattr(worker, "MAX_INPUT_S", 0.2)
    monkeypatch.setattr(worker, "resident_bytes", resident_bytes)
    (done,) = work(Job(["uri"], "smoke", inputs=50))
    assert (done.failure, done.inputs) == ("", 50)
    assert len(used_s) == 2 and min(used_s) > worker.MAX_INPUT_S


def test_the_same_seed_then_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        mutator, made = Mutator(load_seeds("uri"), random.Random(seed)), []
        for number in range(500):
            made.append(mutator.next())
            mutator.tell(number % 7)
        return made

    assert inputs(1) == inputs(1) != inputs(2)


def test_more_signatures_than_there_is_room_for_then_the_pool_stays_bounded() -> None:
    mutator = Mutator([b"x" * (2 * MAX_INPUT_BYTES)], random.Random(0))
    for number in range(3 * MAX_PARENTS):
        assert len(mutator.next()) <= MAX_INPUT_BYTES
        signature: Hashable = number
        mutator.tell(signature)
    assert mutator.signature_count == 3 * MAX_PARENTS


def test_more_signatures_than_are_told_apart_then_memory_stays_bounded() -> None:
    mutator = Mutator([b"x"], random.Random(0))
    for number in range(MAX_SIGNATURES + 100):
        mutator.tell(number)
    assert mutator.signature_count == MAX_SIGNATURES


def test_pieces_then_they_are_the_input() -> None:
    assert cut_by(12345, b"") == []
    for check in range(0, 1 << 24, 99_991):
        assert b"".join(cut_by(check, b"abcdefg")) == b"abcdefg"


def test_a_seed_line_then_its_bytes() -> None:
    assert parse_seed('b"a\\"\\x00" * 2 + b"é"'.replace("é", "\\xe9")) == b'a"\x00a"\x00\xe9'
    with pytest.raises(ValueError):
        parse_seed('b"a" - b"b"')


def test_the_command_then_it_runs_on_two_processes_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, str(RUN), "--inputs", "400", "--target", "uri", "--seed", "1", "--processes", "2"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n400 inputs in " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_command_with_an_input_to_repeat_then_it_says_what_it_found(tmp_path: Path) -> None:
    file = tmp_path / "input.bin"
    file.write_bytes(b"ws://host/")
    command = [sys.executable, str(RUN), "--target", "uri", "--repeat", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "nothing found\n")
