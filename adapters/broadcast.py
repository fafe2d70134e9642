"""Broadcast: one message to many connections, its frame built once.

A server's frames are not masked, so the same bytes are right for every peer, unless an agreed extension says
otherwise; those few get the message the ordinary way. The bytes are shared, not copied: each connection
queues a reference.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..api.connection import Connection, SendableMessage
from ..api.errors import InvalidArgument, ResourceExhausted
from ..api.message import BINARY, TEXT
from ..api.session import SessionStatus
from ..protocol.common_codec import CommonCodec
from ..protocol.frames import FIN, build_header
from .connection import WebSocketConnection, kind_and_view
from .hub import Hub

JOIN_BYTES = 16 * 1024
"""Up to this size header and payload become one piece: cheaper to send than two, many times over."""


def broadcast(data: SendableMessage, targets: Iterable[Connection]) -> int:
    """Queue a message on every target that is open and whose send limit allows it; return how many.

    Raises ``InvalidArgument`` for data that is no message; nothing was queued then.
    """
    if isinstance(data, str):
        try:
            kind, payload = TEXT, data.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument("text with a lone surrogate has no UTF-8") from error
    elif isinstance(data, bytes):
        kind, payload = BINARY, data
    else:
        kind, view = kind_and_view(data)
        payload = bytes(view)
    size_bytes = len(payload)
    header = build_header(FIN | kind, size_bytes, 0)
    sent_count = 0
    parts: tuple[bytes, ...] = (header, payload)
    if size_bytes <= JOIN_BYTES:
        parts = (header + payload,)
        sent_count, targets = _queue_on_plain(parts[0], size_bytes, targets)
    for target in targets:
        if isinstance(target, WebSocketConnection) and target.send_encoded(parts, size_bytes):
            sent_count += 1
        elif target.status is SessionStatus.ACTIVE:
            try:
                target.send(payload.decode() if kind == TEXT else payload)
            except ResourceExhausted:
                continue
            sent_count += 1
    return sent_count


def _queue_on_plain(
    frame: bytes, size_bytes: int, targets: Iterable[Connection]
) -> tuple[int, list[Connection]]:
    """Queue ``frame`` on those targets that are open connections of one hub over plain sockets, without
    extensions; return how many that were, and the others.

    ``WebSocketConnection.send_encoded`` with its calls spelled out, a third of what it costs. Not for the
    connection whose turn it is: its batch leaves in another way.
    """
    frame_bytes = len(frame)
    others: list[Connection] = []
    fresh: list[WebSocketConnection] = []
    count = 0
    hub: Hub | None = None
    for target in targets:
        if (
            target.__class__ is not WebSocketConnection
            or target._bare is None
            or target.codec.__class__ is not CommonCodec
        ):
            others.append(target)
            continue
        if hub is None:
            hub = target._hub
        queued_bytes = target._queued_bytes
        if (
            target._hub is not hub
            or target is hub.current
            or target is hub.express
            or target._pending_bytes + queued_bytes + size_bytes > target._settings.send_limit_bytes
        ):
            others.append(target)
            continue
        target._out.append(frame)
        target._queued_bytes = queued_bytes + frame_bytes
        count += 1
        if not target._dirty:
            target._dirty = True
            fresh.append(target)
    if hub is not None:
        traffic = hub.traffic
        traffic.messages_sent.count += count
        traffic.bytes_sent.count += count * size_bytes
        hub.send_all_at_turn_end(fresh)
    return count, others


__all__ = ["JOIN_BYTES", "broadcast"]
