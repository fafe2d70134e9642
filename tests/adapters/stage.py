"""A stage for clients: scripted transports in virtual time, and a server's handshake and codec to answer with."""

from __future__ import annotations

from hioload_ws.adapters.client import Client
from hioload_ws.api import Address, ConnectOptions, Role, Transport
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol import HandshakeConfig, ServerHandshake, WebSocketCodec
from hioload_ws.transport.registry import Registry
from hioload_ws.transport.tcp import TcpProvider


class ScriptedProvider(TcpProvider):
    """Answers every ``connect`` with a scripted transport: first that of the test, then new ones."""

    def __init__(self, poller: ScriptedPoller) -> None:
        self._poller = poller
        self.transports = [ScriptedTransport(poller, 1)]
        self.asked: list[tuple[Address, ConnectOptions]] = []
        self.refusal: Exception | None = None
        self.kind = "tcp"

    @property
    def name(self) -> str:
        return self.kind

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        self.asked.append((address, options))
        if self.refusal is not None:
            raise self.refusal
        if len(self.asked) > 1:
            self.transports.append(ScriptedTransport(self._poller, len(self.asked)))
        return self.transports[-1]


class Stage:
    """A client on a scripted transport, and a server's handshake and codec to answer it with."""

    def __init__(self, url: str, *, kind: str = "tcp", **options: object) -> None:
        self.clock = VirtualClock(start_ns=1)
        self.poller = ScriptedPoller(self.clock)
        self.provider = ScriptedProvider(self.poller)
        self.provider.kind = kind
        registry = Registry()
        registry.register(self.provider)
        self.errors: list[BaseException] = []
        self.client = Client(
            url,
            registry=registry,
            clock=self.clock,
            poller=lambda: self.poller,
            on_error=lambda error, origin: self.errors.append(error),
            **options,  # type: ignore[arg-type]  # whatever the test wants to set
        )
        self.pool = SlabBufferPool(leaks="advanced")
        self.codec = WebSocketCodec(Role.SERVER, pool=self.pool, mask_key=lambda: b"")
        self.handshake = ServerHandshake(HandshakeConfig(subprotocols=("chat",)))
        self._seen = (0, 0)

    @property
    def transport(self) -> ScriptedTransport:
        """The connection that the client asked for last."""
        return self.provider.transports[-1]

    def turn(self) -> None:
        for _ in range(1000):
            if not self.client.turn(0):
                return
        raise AssertionError("the reactor never comes to rest")

    def new_bytes(self) -> bytes:
        """Return what the client sent since the last call, on the connection it asked for last."""
        which, seen_bytes = self._seen
        fresh = bytes(self.transport.sent[seen_bytes if which == len(self.provider.transports) else 0 :])
        self._seen = len(self.provider.transports), len(self.transport.sent)
        return fresh

    def answer(self, data: bytes) -> None:
        """Let bytes arrive, and the client read them."""
        self.transport.feed(data)
        self.turn()

    def accept(self, *, behind: bytes = b"") -> None:
        """Check the client's request and accept it, with bytes right behind the response."""
        assert self.handshake.feed(self.new_bytes()) is not None
        self.handshake.check()
        self.transport.feed(self.handshake.accept() + behind)
        self.turn()


def open_stage(stage: Stage) -> None:
    stage.client.start()
    stage.turn()
    stage.accept()
