"""From a configuration to its parts: what is passed along, and what a change leaves as it was."""

from __future__ import annotations

import pytest

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.crew import SharedListener
from hioload_ws.adapters.settings import handshake_config, listen_all
from hioload_ws.api.errors import InvalidArgument, ResourceExhausted
from hioload_ws.api.http import Request
from hioload_ws.api.registry import ListenOptions
from hioload_ws.api.transport import Address, TcpAddress
from hioload_ws.control import ServerConfig
from hioload_ws.protocol import PermessageDeflate

HEADER = "Sec-WebSocket-Extensions"


def ignore(connection: Connection, message: Message) -> None:
    """Handle messages nobody sends."""


def test_handshakes_are_judged_by_what_the_configuration_says() -> None:
    config = ServerConfig(subprotocols=("a", "b"), max_head_bytes=5000, max_header_count=17)
    factory = PermessageDeflate()
    made = handshake_config(config, [factory])
    assert made.subprotocols == ("a", "b")
    assert made.extensions == (factory,)
    assert (made.max_head_bytes, made.max_header_count) == (5000, 17)
    assert made.check_origin is None


def test_origins_bind_browsers_and_let_programs_in() -> None:
    check = handshake_config(ServerConfig(origins=("https://a.example",)), ()).check_origin
    assert check is not None
    request = Request("GET", "/", ())
    assert check("https://a.example", request) and check(None, request)
    assert not check("https://b.example", request)


def test_an_extension_configured_twice_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidArgument, match="twice"):
        Server("127.0.0.1", 0, extensions=[PermessageDeflate(), PermessageDeflate(level=1)])


def test_a_changed_configuration_keeps_the_extensions() -> None:
    app = Server("127.0.0.1", 0, extensions=[PermessageDeflate()])
    app.on_message(ignore)
    with app.background() as url:
        for limit_bytes in (None, 1000):
            if limit_bytes is not None:
                app.control.set_config(max_message_bytes=limit_bytes)
            with connect(url, extensions=[PermessageDeflate()]) as connection:
                assert connection.response.values(HEADER) == ("permessage-deflate",)


class Listeners:
    """A registry, and its provider, which counts what is open; ``most`` of them it opens."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open: list[SharedListener] = []

    def get(self, name: str) -> Listeners:
        return self

    def listen(self, address: Address, options: ListenOptions) -> MemoryAddressed:
        if len(self.open) >= self.most:
            raise ResourceExhausted("no more")
        made = MemoryAddressed(self)
        self.open.append(made)
        return made


class MemoryAddressed(SharedListener):
    """A listener that is open until it is closed."""

    def __init__(self, owner: Listeners) -> None:
        self._owner = owner

    @property
    def address(self) -> Address:
        return TcpAddress("127.0.0.1", 7)

    def close(self) -> None:
        self._owner.open.remove(self)


def test_a_listener_for_each_worker_or_none_at_all() -> None:
    config = ServerConfig(workers=3, port=0)
    enough = Listeners(3)
    assert len(listen_all(enough, config, None)) == 3  # type: ignore[arg-type]  # as much of a registry as it takes
    too_few = Listeners(2)
    with pytest.raises(ResourceExhausted):
        listen_all(too_few, config, None)  # type: ignore[arg-type]  # as above
    assert too_few.open == []
