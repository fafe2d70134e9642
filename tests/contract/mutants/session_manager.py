"""Broken stores of sessions and unusual ones. ``Store`` is one lock and one table."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

from ...api.errors import Closed, ResourceExhausted
from ...api.session import Session
from ...api.types import Nanoseconds, SessionId
from ..mutation import Gallery
from ..suites.session_manager import SessionManagerContract
from .session import Correct

GALLERY = Gallery(SessionManagerContract)


class Store:
    """A store with one lock."""

    session = Correct

    def __init__(self, *, limit: int | None) -> None:
        self.limit = limit
        self.lock = threading.RLock()
        self.table: dict[str, Correct] = {}
        self.closed = False
        self.numbers = itertools.count(1)

    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        with self.lock:
            if self.closed:
                raise Closed("closed")
            id = f"new {next(self.numbers)}" if session_id is None else session_id
            found = self.table.get(id)
            if found is None:
                self.check_room()
                found = self.table[id] = self.session(deadline_ns=deadline_ns, id=id, ended=self.ended)
            return found

    def check_room(self) -> None:
        if self.limit is not None and len(self.table) >= self.limit:
            raise ResourceExhausted("full")

    def ended(self, session: Session) -> None:
        with self.lock:
            if self.table.get(session.id) is session:
                del self.table[session.id]

    def get(self, session_id: SessionId) -> Correct | None:
        with self.lock:
            return self.table.get(session_id)

    def delete(self, session_id: SessionId) -> bool:
        found = self.get(session_id)
        return found is not None and found.cancel()

    def expire(self, now_ns: Nanoseconds) -> int:
        return sum(each.cancel() for each in self if self.due(each, now_ns))

    def due(self, session: Session, now_ns: Nanoseconds) -> bool:
        return session.deadline_ns is not None and session.deadline_ns <= now_ns

    def __iter__(self) -> Iterator[Correct]:
        with self.lock:
            return iter(list(self.table.values()))

    def __len__(self) -> int:
        return len(self.table)

    def close(self) -> None:
        self.closed = True
        for each in self:
            each.cancel()


@GALLERY.mutant("SEM-01", "has a session from the start")
class NeverEmpty(Store):
    def __init__(self, *, limit: int | None) -> None:
        super().__init__(limit=limit)
        self.create(SessionId("own"))


@GALLERY.mutant("SEM-02", "makes ids that come again")
class RepeatsIds(Store):
    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        if session_id is None:
            session_id = SessionId(f"new {next(self.numbers) % 100}")
        return super().create(session_id, deadline_ns=deadline_ns)


@GALLERY.mutant("SEM-03", "gives a session that is there the new deadline")
class NewDeadline(Store):
    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        found = super().create(session_id, deadline_ns=deadline_ns)
        found.deadline_ns = deadline_ns
        return found


@GALLERY.mutant("SEM-04", "does not show the last session in iteration")
class HidesOne(Store):
    def __iter__(self) -> Iterator[Correct]:
        return iter(list(super().__iter__())[:30])


@GALLERY.mutant("SEM-05", "keeps sessions that end by themselves")
class KeepsEnded(Store):
    def ended(self, session: Session) -> None:
        return None

    def delete(self, session_id: SessionId) -> bool:
        found = self.table.pop(session_id, None)
        return found is not None and found.cancel()


@GALLERY.mutant("SEM-06", "removes a session, and lets it live")
class LetsLive(Store):
    def delete(self, session_id: SessionId) -> bool:
        return self.table.pop(session_id, None) is not None


@GALLERY.mutant("SEM-07", "remembers the deadline of an id")
class RemembersDeadline(Store):
    def __init__(self, *, limit: int | None) -> None:
        super().__init__(limit=limit)
        self.deadlines: dict[str, Nanoseconds | None] = {}

    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        if session_id is not None:
            deadline_ns = self.deadlines.setdefault(session_id, deadline_ns)
        return super().create(session_id, deadline_ns=deadline_ns)


@GALLERY.mutant("SEM-08", "expires after the deadline, and not with it")
class ExpiresLate(Store):
    def due(self, session: Session, now_ns: Nanoseconds) -> bool:
        return super().due(session, now_ns - 1)


@GALLERY.mutant("SEM-09", "expires sessions without a deadline at the end of time")
class ExpiresAll(Store):
    def due(self, session: Session, now_ns: Nanoseconds) -> bool:
        return super().due(session, now_ns) or now_ns > 1 << 60


@GALLERY.mutant("SEM-10", "refuses at the limit what is there, too")
class RefusesAll(Store):
    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        self.check_room()
        return super().create(session_id, deadline_ns=deadline_ns)


@GALLERY.mutant("SEM-11", "gives no room back for what expires")
class KeepsRoom(Store):
    def expire(self, now_ns: Nanoseconds) -> int:
        expired = super().expire(now_ns)
        if self.limit is not None:
            self.limit -= expired
        return expired


@GALLERY.mutant("SEM-12", "iterates over what is changed meanwhile")
class LiveView(Store):
    def __iter__(self) -> Iterator[Correct]:
        return iter(self.table.values())

    def expire(self, now_ns: Nanoseconds) -> int:
        return sum(each.cancel() for each in list(self) if self.due(each, now_ns))

    def close(self) -> None:
        self.closed = True
        for each in list(self):
            each.cancel()


@GALLERY.mutant("SEM-13", "makes sessions after close")
class MakesClosed(Store):
    def close(self) -> None:
        super().close()
        self.closed = False


@GALLERY.mutant("SEM-14", "calls back while the session is still there")
class StillThere(Store):
    def ended(self, session: Session) -> None:
        super().ended(session)
        if self.told:
            self.table[session.id] = self.told.pop()

    def __init__(self, *, limit: int | None) -> None:
        super().__init__(limit=limit)
        self.told: list[Correct] = []

    def expire(self, now_ns: Nanoseconds) -> int:
        count = 0
        for each in self:
            if self.due(each, now_ns):
                self.told.append(each)
                count += each.cancel()
                self.told.clear()
                super().ended(each)
        return count

@GALLERY.mutant("SEM-15", "looks for an id, then makes its session, without a lock")
class RacingCreate(Store):
    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        found = None if session_id is None else self.table.get(session_id)
        if found is None and session_id is not None and not self.closed:
            self.check_room()
            found = self.session(deadline_ns=deadline_ns, id=session_id, ended=self.ended)
            self.table[session_id] = found
            return found
        return super().create(session_id, deadline_ns=deadline_ns) if found is None else found


@GALLERY.mutant("SEM-16", "looks for room, then takes it, without a lock")
class RacingLimit(Store):
    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> Correct:
        if session_id not in self.table and not self.closed:
            self.check_room()
        self.limit, limit = None, self.limit
        made = super().create(session_id, deadline_ns=deadline_ns)
        self.limit = limit
        return made


@GALLERY.mutant("SEM-17", "does not expire the first that is due, once something was deleted")
class SkipsFirst(Store):
    deleted = False

    def expire(self, now_ns: Nanoseconds) -> int:
        due = [each for each in self if self.due(each, now_ns)]
        return sum(each.cancel() for each in (due[1:] if self.deleted else due))

    def delete(self, session_id: SessionId) -> bool:
        self.deleted = True
        return super().delete(session_id)


GALLERY.oddball("one table, and a walk over all of it for deadlines")(Store)

__all__ = ["GALLERY", "Store"]
