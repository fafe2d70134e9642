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
from ..protocol.frames import FIN, build_header
from .connection import WebSocketConnection, kind_and_view

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
    header = build_header(FIN | kind, len(payload), 0)
    parts = (header + payload,) if len(payload) <= JOIN_BYTES else (header, payload)
    sent_count = 0
    for target in targets:
        if isinstance(target, WebSocketConnection) and target.send_encoded(parts, len(payload)):
            sent_count += 1
        elif target.status is SessionStatus.ACTIVE:
            try:
                target.send(payload.decode() if kind == TEXT else payload)
            except ResourceExhausted:
                continue
            sent_count += 1
    return sent_count


__all__ = ["JOIN_BYTES", "broadcast"]
