"""TLS engine: TLS as a machine between two byte queues, without any I/O (RFC 8446, RFC 5246; module ``ssl``).

What arrives goes into one memory BIO, what has to be sent comes out of another; ``ssl.SSLObject`` sits
between. This module hides how that object speaks ("want read" as exception, three kinds of end, partial
writes) behind counts and a few flags, so that the transport over it has only bytes to move.

*Reading by records.* A TLS record names its length in a header of five bytes. While the handshake is on, we
ask for exactly what is missing of the current record and never for more: so when the handshake is complete,
not one byte of data has been taken from the system, and a poller still sees all of it, whoever drove the
handshake.

*Closing one direction.* ``SSLObject.unwrap`` sends close_notify, and then looks for the peer's: data that
waits in the queue at that moment would be destroyed (OpenSSL: "application data after close notify"). So what
has arrived is decrypted first and held for the reader.

*An end that is none.* Contexts of Python ask OpenSSL to take the end of the input for close_notify
(``OP_IGNORE_UNEXPECTED_EOF``). So OpenSSL is never told of that end: when it wants more and there will be no
more, the stream was cut, and that is said here.
"""

from __future__ import annotations

import ssl
from typing import Final, cast

from ..api.errors import InvalidArgument

HEADER_BYTES: Final = 5
"""Type (1), version (2), length of the fragment (2), big endian: RFC 8446 §5.1."""

RECORD_BYTES: Final = 16384
"""Most plaintext in one record: RFC 8446 §5.1."""


def check_context(context: ssl.SSLContext, *, server_side: bool) -> None:
    """Raise ``InvalidArgument`` for a context that is made for the other side."""
    foreign = ssl.PROTOCOL_TLS_CLIENT if server_side else ssl.PROTOCOL_TLS_SERVER
    if context.protocol == foreign:
        side = "server" if server_side else "client"
        raise InvalidArgument(f"this TLS context can't be used by a {side}", protocol=context.protocol.name)


def _cut_short() -> ssl.SSLEOFError:
    """Return the error for an end without close_notify."""
    return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the stream ended without close_notify, it may be truncated")


class TlsEngine:
    """One side of one TLS connection. Thread rules: one thread.

    ``started``, ``established``: where the handshake is. ``ended``: the peer has sent close_notify.
    ``wants_read``: writing waits for something from the peer (a renegotiation, TLS 1.2 and before).
    Every method may raise ``ssl.SSLError``, which ends the connection; ``take_output`` then has the alert.
    """

    __slots__ = (
        "_body_left",
        "_error",
        "_header",
        "_held",
        "_input",
        "_input_cut",
        "_output",
        "ended",
        "established",
        "ssl_object",
        "started",
        "wants_read",
    )

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None) -> None:
        """Raises ``InvalidArgument`` for a context of the other side, a malformed name, or a missing one."""
        check_context(context, server_side=server_side)
        if context.check_hostname and not server_side and not server_name:
            # ``wrap_bio``, unlike ``wrap_socket``, would go on and accept a certificate for any host.
            raise InvalidArgument("this TLS context checks the server's name, and none is given")
        self._input = ssl.MemoryBIO()
        self._output = ssl.MemoryBIO()
        try:
            self.ssl_object = context.wrap_bio(self._input, self._output, server_side, server_name)
        except (ssl.SSLError, ValueError) as error:
            raise InvalidArgument(f"TLS can't start: {error}", server_name=server_name) from error
        self.started = self.established = self.ended = self.wants_read = False
        self._input_cut = False
        self._header = bytearray()
        self._body_left = 0
        self._held = bytearray()
        self._error: ssl.SSLError | None = None

    def handshake(self) -> bool:
        """Go on with the handshake as far as the input reaches; return whether it is complete."""
        self.started = True
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            if self._input_cut:
                raise _cut_short() from None
            return False
        self.established = True
        return True

    @property
    def wanted_bytes(self) -> int:
        """How many bytes, 1 or more, are missing of the current record. Meant for the handshake."""
        return self._body_left or HEADER_BYTES - len(self._header)

    def receive(self, data: memoryview) -> None:
        """Take what has arrived; during the handshake ``wanted_bytes`` at most. Copied."""
        self._input.write(data)
        self.wants_read = False
        if self.established:
            return
        if self._body_left:
            self._body_left -= len(data)
            return
        self._header += data
        if len(self._header) == HEADER_BYTES:
            self._body_left = int.from_bytes(self._header[3:], "big")
            self._header.clear()

    def receive_end(self) -> None:
        """Learn that nothing will ever arrive again."""
        self._input_cut = True
        self.wants_read = False

    @property
    def buffered(self) -> bool:
        """Whether ``read_into`` has something to say without further input."""
        if self._held or self._error is not None:
            return True
        return not self.ended and bool(self._input.pending or self._input_cut or self.ssl_object.pending())

    @property
    def failed(self) -> bool:
        """Whether an error waits for the reader to come back."""
        return self._error is not None

    def read_into(self, view: memoryview, filled: int = 0) -> int:
        """Decrypt into ``view``, behind its first ``filled`` bytes, what there is and fits.

        Returns how much of ``view`` is filled then. After close_notify (RFC 8446 §6.1) ``ended`` is set.
        Good data is never lost to an error behind it: the error waits until a call has nothing to return. The
        end without close_notify is ``ssl.SSLEOFError``.
        """
        if self._held:
            count = min(len(self._held), len(view) - filled)
            view[filled : filled + count] = self._held[:count]
            del self._held[:count]
            filled += count
        while filled < len(view) and self._error is None and self.buffered:
            try:
                # With a buffer it returns a count, whatever its annotation says.
                count = cast(int, self.ssl_object.read(len(view) - filled, view[filled:]))
            except ssl.SSLWantReadError:
                if self._input_cut:
                    self._error = _cut_short()
                break
            except ssl.SSLZeroReturnError:
                count = 0
            except ssl.SSLError as error:
                self._error = error
                break
            if not count:
                self.ended = True
            filled += count
        if self._error is not None and not filled:
            waiting, self._error = self._error, None
            raise waiting
        return filled

    def encrypt(self, view: memoryview) -> int:
        """Encrypt the start of ``view``, one record at most; return how many bytes of it that were.

        0 means that the peer has to say something first; ``wants_read`` is then set.
        """
        try:
            return self.ssl_object.write(view)
        except ssl.SSLWantReadError:
            self.wants_read = True
            return 0

    def close_output(self) -> None:
        """Append close_notify to the output; reading goes on."""
        space = memoryview(bytearray(RECORD_BYTES))
        held = self._held
        self._held = bytearray()
        try:
            while not self.failed and self.buffered and (count := self.read_into(space)):
                held += space[:count]
        except ssl.SSLError as error:
            self._error = error
        self._held = held
        try:
            self.ssl_object.unwrap()
        except ssl.SSLError:
            pass  # nearly always SSLWantReadError: ours is sent, and the peer's has not come yet

    @property
    def output_bytes(self) -> int:
        """How much there is to send."""
        return self._output.pending

    def take_output(self) -> bytes:
        """Return what has to be sent now; ``b""`` for nothing."""
        return self._output.read() if self._output.pending else b""


__all__ = ["HEADER_BYTES", "RECORD_BYTES", "TlsEngine", "check_context"]
