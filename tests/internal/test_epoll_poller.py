"""What is special about epoll: files it refuses, its own wake-up, and running out of descriptors."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.poller import READABLE
from hioload_ws.api.types import Handle

if not hasattr(select, "epoll"):
    pytest.skip("this system has no epoll", allow_module_level=True)

from hioload_ws.internal.epoll_poller import EpollPoller


def test_a_regular_file_is_refused(tmp_path: Path) -> None:
    poller = EpollPoller()
    try:
        with (tmp_path / "file").open("wb") as file, pytest.raises(InvalidArgument):
            poller.register(Handle(file.fileno()), READABLE)
    finally:
        poller.close()


def test_the_pollers_own_wakeup_can_not_be_registered() -> None:
    poller = EpollPoller()
    try:
        own = poller._wakeup.fileno()
        with pytest.raises(InvalidArgument):
            poller.register(Handle(own), READABLE)
    finally:
        poller.close()


def test_when_epoll_can_not_be_opened_the_wakeup_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def refuse() -> None:
        opened.append(os.dup(0))  # The lowest free number: shows below that nothing stayed open.
        os.close(opened[-1])
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(select, "epoll", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        EpollPoller()
    after = os.dup(0)
    os.close(after)
    assert after < opened[0]
