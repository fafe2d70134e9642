"""An executor whose threads start with its first task.

A server offers worker threads to whoever needs them, and most need none: threads cost memory, and a process that
forks wants to have none yet. So the executor is made when somebody submits, and until then it is a size and a row
of zeros. It can be resized and shut down all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TypeVar

from ..api.errors import Closed, InvalidArgument
from ..api.executor import Executor, ExecutorStats, Task
from ..api.types import Nanoseconds, NodeId

T = TypeVar("T")

_NOTHING_YET: Final = ExecutorStats(0, 0, 0, 0, 0, 0, 0, 0)


class LateExecutor:
    """Implements ``api.executor.Executor`` by making another one when it is needed, whose contract holds from then on.

    ``make(worker_count)`` makes it; what that raises, ``submit`` raises, and tries again the next time. Thread rules:
    any thread, also signal handlers.
    """

    __slots__ = ("_closed", "_executor", "_lock", "_make", "_worker_count", "node")

    def __init__(self, node: NodeId, worker_count: int, make: Callable[[int], Executor]) -> None:
        """Promise ``worker_count`` workers (1 or more, else ``InvalidArgument``) on ``node``."""
        _check(worker_count)
        self.node = node
        """The node its workers will run on, or ``ANY_NODE``."""
        self._worker_count = worker_count
        self._make = make
        self._lock = threading.RLock()
        self._executor: Executor | None = None
        self._closed = False

    @property
    def worker_count(self) -> int:
        """The size last asked for."""
        return self._worker_count if self._executor is None else self._executor.worker_count

    def submit(self, function: Callable[[], T], /) -> Task[T]:
        """Queue a function; the first one starts the workers. Errors as ``Executor.submit``, and those of ``make``."""
        with self._lock:
            if self._executor is None:
                self._refuse_closed()
                self._executor = self._make(self._worker_count)
        return self._executor.submit(function)

    def resize(self, worker_count: int) -> None:
        """Grow or shrink, or note the size to start with; errors as ``Executor.resize``."""
        with self._lock:
            if self._executor is not None:
                self._executor.resize(worker_count)
                return
            _check(worker_count)
            self._refuse_closed()
            self._worker_count = worker_count

    def stats(self) -> ExecutorStats:
        """Return the books; all zero before the first task."""
        return _NOTHING_YET if self._executor is None else self._executor.stats()

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: Nanoseconds | None = None) -> bool:
        """Refuse new tasks and wait for the workers, if there are any; as ``Executor.shutdown``."""
        with self._lock:
            self._closed = True
            executor = self._executor
        return executor is None or executor.shutdown(cancel_queued=cancel_queued, timeout_ns=timeout_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.shutdown()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Closed("the executor is shut down", node=self.node)


def _check(worker_count: int) -> None:
    if worker_count < 1:
        raise InvalidArgument("an executor has 1 worker or more", worker_count=worker_count)


__all__ = ["LateExecutor"]
