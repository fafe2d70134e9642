"""The clear reference parser: which events lie in a stream of frames, decided by reading, not by speed.

It is written for reading, byte by byte and with everything in one place. It looks at a stream from its
beginning and says which events lie in it; for a stream that is cut, it says whether *any* continuation could
be legal. It shares no code with the library, limits apart.
"""

from __future__ import annotations

from hioload_ws.protocol.limits import Limits

PlainEvent = tuple[object, ...]

Range = tuple[int, int]
_TAIL: Range = (0x80, 0xBF)
UTF8_CHARACTERS: tuple[tuple[Range, ...], ...] = (  # RFC 3629 §4
    ((0x00, 0x7F),),
    ((0xC2, 0xDF), _TAIL),
    ((0xE0, 0xE0), (0xA0, 0xBF), _TAIL),
    ((0xE1, 0xEC), _TAIL, _TAIL),
    ((0xED, 0xED), (0x80, 0x9F), _TAIL),
    ((0xEE, 0xEF), _TAIL, _TAIL),
    ((0xF0, 0xF0), (0x90, 0xBF), _TAIL, _TAIL),
    ((0xF1, 0xF3), _TAIL, _TAIL, _TAIL),
    ((0xF4, 0xF4), (0x80, 0x8F), _TAIL, _TAIL),
)
WIRE_CODES = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))


def utf8_verdict(text: bytes) -> str:
    """Return ``"valid"``, ``"cut"`` (valid so far, inside a character) or ``"bad"``."""
    position = 0
    while position < len(text):
        for character in UTF8_CHARACTERS:
            piece = text[position : position + len(character)]
            if all(low <= byte <= high for byte, (low, high) in zip(piece, character, strict=False)):
                break
        else:
            return "bad"
        if len(piece) < len(character):
            return "cut"
        position += len(character)
    return "valid"


class Violation(Exception):
    """The reference found a violation; the argument is the close code."""


class Reference:
    """The clear parser: ``events`` of a stream, perhaps cut."""

    def __init__(self, server: bool, limits: Limits) -> None:
        self.server = server
        self.limits = limits
        self.events: list[PlainEvent] = []
        self.kind = 0
        self.payload = b""
        self.fragments = 0

    def run(self, stream: bytes) -> list[PlainEvent]:
        try:
            while stream and not (self.events and self.events[-1][0] == "close"):
                stream = stream[self.frame(stream) :]
        except Violation as found:
            self.events.append(("violation", found.args[0]))
        return self.events

    def frame(self, stream: bytes) -> int:
        """Judge the frame that ``stream`` begins with; return its size, or all of a stream that is cut."""
        first, opcode, final = stream[0], stream[0] & 15, bool(stream[0] & 0x80)
        self.judge_first(first, opcode, final)
        if len(stream) < 2:
            return len(stream)
        if bool(stream[1] & 0x80) != self.server:
            raise Violation(1002)
        header, length = self.length(opcode, stream)
        if length is None or len(stream) < header + 4 * self.server:
            return len(stream)
        masked = stream[header + 4 * self.server :][:length]
        key = stream[header : header + 4] if self.server else bytes(4)
        payload = bytes(byte ^ key[index % 4] for index, byte in enumerate(masked))
        self.judge_payload(opcode, final, payload, len(payload) == length)
        return header + 4 * self.server + length

    def judge_first(self, first: int, opcode: int, final: bool) -> None:
        if opcode not in (0, 1, 2, 8, 9, 10) or first & 0x70 or (opcode >= 8 and not final):
            raise Violation(1002)
        if opcode < 8 and (opcode == 0) != (self.kind != 0):
            raise Violation(1002)
        most = self.limits.max_fragments
        if opcode == 0 and most is not None and self.fragments + 1 > most:
            raise Violation(1009)

    def length(self, opcode: int, stream: bytes) -> tuple[int, int | None]:
        """Return the header's size without key, and the payload's length unless it is cut."""
        short = stream[1] & 0x7F
        if opcode >= 8:
            if short > 125 or (opcode == 8 and short == 1):
                raise Violation(1002)
            return 2, short
        size, least_legal = {126: (2, 126), 127: (8, 65536)}.get(short, (0, 0))
        known = stream[2 : 2 + size]
        lowest = int(known.hex().ljust(2 * size, "0") or "0", 16) if size else short
        highest = int(known.hex().ljust(2 * size, "f"), 16) if size else short
        if lowest >= 2**63 or highest < least_legal:
            raise Violation(1002)
        frame_most = self.limits.max_frame_bytes or self.limits.max_message_bytes
        if lowest > frame_most or lowest + len(self.payload) > self.limits.max_message_bytes:
            raise Violation(1009)
        return 2 + size, (lowest if len(known) == size else None)

    def judge_payload(self, opcode: int, final: bool, payload: bytes, complete: bool) -> None:
        if opcode == 8:
            self.judge_close(payload, complete)
        elif opcode > 8:
            if complete:
                self.events.append(("ping" if opcode == 9 else "pong", payload))
        else:
            kind = opcode or self.kind
            message = self.payload + payload
            verdict = utf8_verdict(message) if kind == 1 else "valid"
            if verdict == "bad" or (verdict == "cut" and final and complete):
                raise Violation(1007)
            self.kind, self.payload = kind, message
            self.fragments = 1 if opcode else self.fragments + 1
            if final and complete:
                self.events.append(("message", kind, message))
                self.kind, self.payload, self.fragments = 0, b"", 0

    def judge_close(self, payload: bytes, complete: bool) -> None:
        codes = [code for code in WIRE_CODES if code.to_bytes(2, "big").startswith(payload[:2])]
        if payload and not codes:
            raise Violation(1002)
        verdict = utf8_verdict(payload[2:])
        if verdict == "bad" or (verdict == "cut" and complete):
            raise Violation(1007)
        if complete:
            self.events.append(("close", codes[0], payload[2:].decode()) if payload else ("close", 1005, ""))


__all__ = ["PlainEvent", "Reference", "Violation", "utf8_verdict"]
