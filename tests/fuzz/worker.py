"""The worker: gives inputs to targets until an amount of time or of inputs is used up, and watches itself.

What it watches beside the targets' own findings: that no input takes long, and that memory does not grow. The
resident set is compared from the end of the warm-up (pools and caches have filled) to the end of the run.
"""

from __future__ import annotations

import gc
import os
import random
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.mutator import Mutator, load_seeds
from tests.fuzz.targets import TARGETS

MAX_GROWTH_BYTES: Final = 32 * 1024 * 1024
MAX_INPUT_S: Final = 5.0
"""CPU time of the thread, which neither a busy machine nor a thread that something else left behind uses up, and far
more than any input of 4 KiB may cost."""
_WARM_UP_SHARE: Final = 0.2
_STATM: Final = Path("/proc/self/statm")  # proc(5): sizes in pages, the resident set second


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker does: its targets share the budget evenly. Exactly one of the budgets is given."""

    targets: Sequence[str]
    seed: str
    seconds: float | None = None
    inputs: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one target: how much was tried, and the failure with its input, if there is one."""

    target: str
    inputs: int
    seconds: float
    cpu_seconds: float
    signatures: int
    growth_bytes: int
    failure: str = ""
    data: bytes = b""


def resident_bytes() -> int:
    """Return the size of the resident set; 0 where the system does not tell."""
    gc.collect()
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def work(job: Job) -> list[Done]:
    """Do a job; stop at the first failure."""
    done = []
    for name in job.targets:
        share = len(job.targets)
        seconds = None if job.seconds is None else job.seconds / share
        inputs = None if job.inputs is None else -(-job.inputs // share)
        done.append(_fuzz(name, random.Random(f"{job.seed} {name}"), seconds, inputs))
        if done[-1].failure:
            break
    return done


def _fuzz(name: str, generator: random.Random, seconds: float | None, inputs: int | None) -> Done:
    target, mutator = TARGETS[name](), Mutator(load_seeds(name), generator)
    start = now = time.perf_counter()
    cpu_start_s = time.process_time()
    count, warm_bytes, data, failure = 0, 0, b"", ""
    try:
        while (now - start < seconds) if seconds is not None else (count < (inputs or 0)):
            data = mutator.next()
            thread_start_s = time.thread_time()
            signature = target(data)
            used_s = time.thread_time() - thread_start_s
            mutator.tell(signature)
            count += 1
            now = time.perf_counter()
            if used_s > MAX_INPUT_S:
                raise AssertionError(f"the input took {used_s:.1f} s")
            progress = (now - start) / seconds if seconds else count / (inputs or 1)
            if not warm_bytes and progress >= _WARM_UP_SHARE:
                warm_bytes = resident_bytes()
        data = b""
        target.close()
    except Exception:
        failure = traceback.format_exc()
    growth_bytes = resident_bytes() - warm_bytes if warm_bytes else 0
    if growth_bytes > MAX_GROWTH_BYTES and not failure:
        failure = f"memory grew by {growth_bytes} bytes after the warm-up"
    cpu_s = time.process_time() - cpu_start_s
    return Done(name, count, now - start, cpu_s, mutator.signature_count, growth_bytes, failure, data)


def repeat(name: str, data: bytes) -> str:
    """Give one input to a target; return the failure, or nothing."""
    try:
        target = TARGETS[name]()
        target(data)
        target.close()
    except Exception:
        return traceback.format_exc()
    return ""


__all__ = ["MAX_GROWTH_BYTES", "MAX_INPUT_S", "Done", "Job", "repeat", "resident_bytes", "work"]
