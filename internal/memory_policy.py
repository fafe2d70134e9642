"""Memory policy: putting memory on a NUMA node, and looking where it really went.

Linux decides where a page lies when it is touched first, by the policy of its address range and else by that
of the thread. ``bind`` sets the policy of a range before anything of it is touched, so it does not matter
which thread comes first. Two ways to be strict exist and the difference is what happens when a node is full:
``MPOL_BIND`` never goes elsewhere (and the kernel may kill the process for it), ``MPOL_PREFERRED`` takes the
next node instead. The default is to bind: a pool that says "node 1" must mean it; its limit is what keeps a
node from filling up.

**Refused is not broken.** A container's seccomp filter answers EPERM (Docker's default does, without
CAP_SYS_NICE), a kernel without NUMA answers ENOSYS. Memory is as good as before, only placed by first touch.
So both are answered with ``False`` and remembered in ``refusal``, for the statistics to say. Anything else
(EINVAL: the node is absent or forbidden by the cpuset; ENOMEM) is an ``OSError``: whoever asked for that node
must not get another one silently.

**What was got** is never concluded from what was asked: ``pages_by_node`` asks the kernel page by page.

Sources: mbind(2), set_mempolicy(2), move_pages(2), Documentation/admin-guide/mm/numa_memory_policy.rst.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ..api.errors import InvalidArgument
from ..api.types import NodeId
from .syscalls import MPOL_BIND, MPOL_PREFERRED, NumaCalls, system_numa_calls

_NOT_ALLOWED_TO_ASK: Final = frozenset({errno.EPERM, errno.ENOSYS})

NOT_TOUCHED: Final = NodeId(-errno.ENOENT)
"""Stands in ``pages_by_node`` for pages without memory of their own yet. Other negative numbers are error
numbers, too."""

_NO_PAGE: Final = frozenset({-errno.ENOENT, -errno.EFAULT})
"""What move_pages(2) says of such a page: EFAULT for the zero page, and for one whose table is missing."""

_ASK_PAGES: Final = 4096
"""Pages per question: keeps the arrays of a gigabyte small."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy in force: ``mode`` as in linux/mempolicy.h, and the nodes it names."""

    mode: int
    nodes: frozenset[NodeId]


class MemoryPolicy:
    """Binds memory to nodes and tells where memory lies.

    ``calls`` is the kernel (``None``: this machine's); ``strict`` binds to the node, else the node is only
    preferred. Thread rules: any thread; ``thread_on`` is about the calling one.
    """

    __slots__ = ("_calls", "_mode", "_refusal")

    def __init__(self, calls: NumaCalls | None = None, *, strict: bool = True) -> None:
        self._calls = system_numa_calls() if calls is None else calls
        self._mode = MPOL_BIND if strict else MPOL_PREFERRED
        self._refusal: OSError | None = None

    @property
    def refusal(self) -> OSError | None:
        """Why the machine last refused to bind at all; ``None`` as long as it did not."""
        return self._refusal

    def bind(self, mapping: mmap.mmap, node: NodeId) -> bool:
        """Put what is touched from now on of a writable mapping on ``node``; whether the machine does that.

        ``False`` where the system has no such call or forbids it: the mapping is unchanged and usable.
        Raises ``OSError`` for an absent or forbidden node (EINVAL) and where the kernel lacks memory; the
        mapping is unchanged then, too.
        """
        try:
            self._calls.mbind(_address_of(mapping), len(mapping), self._mode, (node,))
        except OSError as error:
            self._note_refusal(error)
            return False
        return True

    def policy_of(self, memory: mmap.mmap | memoryview) -> Policy:
        """Return the policy of the page that a writable memory begins in. Raises ``OSError`` as the
        kernel says."""
        return Policy(*self._calls.get_mempolicy(_address_of(memory)))

    def thread_policy(self) -> Policy:
        """Return the policy of the calling thread. Raises ``OSError`` as the kernel says."""
        return Policy(*self._calls.get_mempolicy(None))

    def pages_by_node(self, memory: mmap.mmap | memoryview) -> Counter[NodeId]:
        """Return how many pages of a writable memory lie on which node, as the kernel says.

        Pages that nobody touched count under ``NOT_TOUCHED``. Huge pages count as the small pages they
        stand for. Raises ``OSError`` as the kernel says, ``InvalidArgument`` for empty or read-only memory.
        """
        start = _address_of(memory)
        first = start - start % mmap.PAGESIZE
        addresses = range(first, start + len(memory), mmap.PAGESIZE)
        found: Counter[NodeId] = Counter()
        for index in range(0, len(addresses), _ASK_PAGES):
            places = self._calls.move_pages(addresses[index : index + _ASK_PAGES])
            found.update(NOT_TOUCHED if place in _NO_PAGE else NodeId(place) for place in places)
        return found

    def allowed_nodes(self) -> frozenset[NodeId] | None:
        """Return the nodes this thread may take memory from; ``None`` where the system does not tell."""
        try:
            return self._calls.allowed_nodes()
        except OSError as error:
            self._note_refusal(error)
            return None

    @contextmanager
    def thread_on(self, node: NodeId) -> Iterator[bool]:
        """Let what the calling thread touches first inside the block come from ``node``; yields whether the
        machine does that. Afterwards, the thread's policy is what it was.

        For memory that no pool hands out: objects of the interpreter, stacks. Raises ``OSError`` for an
        absent or forbidden node; nothing has changed then.
        """
        before = self._move_thread(node)
        try:
            yield before is not None
        finally:
            if before is not None:
                self._calls.set_mempolicy(before.mode, before.nodes)

    def _move_thread(self, node: NodeId) -> Policy | None:
        """Set the calling thread's policy; return the one before, or ``None`` where that is not done."""
        try:
            before = self.thread_policy()
            self._calls.set_mempolicy(self._mode, (node,))
        except OSError as error:
            self._note_refusal(error)
            return None
        return before

    def _note_refusal(self, error: OSError) -> None:
        """Remember that the machine does not do this at all; raise what is about this one request."""
        if error.errno not in _NOT_ALLOWED_TO_ASK:
            raise error
        self._refusal = error


def _address_of(memory: mmap.mmap | memoryview) -> int:
    """Return where memory begins. Raises ``InvalidArgument`` when it is empty or read-only."""
    try:
        # The ctypes object holds the memory only for this line: a mapping with exports can't be closed.
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))
    except (TypeError, ValueError) as error:
        raise InvalidArgument("memory must be writable and not empty", reason=str(error)) from error


__all__ = ["NOT_TOUCHED", "MemoryPolicy", "Policy"]
