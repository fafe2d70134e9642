"""The example servers do what their first lines say, on a port that the system chooses."""

from __future__ import annotations

import json
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from examples import chat, json_messages, metrics_page, routes, tls_server, token_door
from hioload_ws import BlockingConnection, connect
from hioload_ws.api import HandshakeFailed, InvalidArgument, TimedOut, TransportClosed

CERTIFICATES = Path(__file__).resolve().parents[1] / "transport" / "certs"
PATIENCE_S = 20.0


def ask(connection: BlockingConnection, question: str) -> str | bytes:
    connection.send(question, PATIENCE_S)
    return connection.receive(PATIENCE_S)


def test_chat_reaches_the_others_in_the_room_and_nobody_else() -> None:
    with chat.make_app(port=0).background() as url:
        with (
            connect(f"{url}/rooms/blue") as ada,
            connect(f"{url}/rooms/blue") as ben,
            connect(f"{url}/rooms/red") as eve,
        ):
            ada.send("hello")
            assert ben.receive(PATIENCE_S) == "hello"
            ben.send(b"\x00bytes")
            assert ada.receive(PATIENCE_S) == b"\x00bytes"
            with pytest.raises(TimedOut):
                eve.receive(0)
            eve.send("is anybody here?")
            eve.close()
        with connect(f"{url}/rooms/blue") as late:
            late.send("left alone")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ('{"add": [1, 2]}', {"sum": 3}),
        ('{"add": []}', {"sum": 0}),
        ('{"add": [1, "2"]}', {"error": 'ask {"add": [1, 2]}'}),
        ('{"add": [true]}', {"error": 'ask {"add": [1, 2]}'}),
        ("[1]", {"error": 'ask {"add": [1, 2]}'}),
        ("{", {"error": "this is not JSON"}),
        ("[" * 60_000, {"error": "this is not JSON"}),
    ],
)
def test_a_question_in_json_then_its_answer(question: str, answer: dict[str, object]) -> None:
    with json_messages.make_app(port=0).background() as url, connect(url) as connection:
        assert json.loads(ask(connection, question)) == answer


def test_bytes_where_json_is_expected_then_1003() -> None:
    with json_messages.make_app(port=0).background() as url, connect(url) as connection:
        connection.send(b"{}")
        with pytest.raises(TransportClosed):
            connection.receive(PATIENCE_S)
        assert connection.close_code == 1003


def test_routes_then_parameters_and_numbers_and_the_sixth_message_of_a_second_is_too_many() -> None:
    with routes.make_app(port=0).background() as url:
        with connect(f"{url}/users/a%20b/notes/7") as connection:
            with suppress(TransportClosed):
                for _ in range(1000):  # a slow machine may need more than a second for six
                    connection.send("x")
            answers = list(connection)
            assert answers[:5] == [f"{number}: a b, note 7: x" for number in range(1, 6)]
            assert len(answers) < 1000
            assert connection.close_code == 1008
        with pytest.raises(HandshakeFailed) as caught:
            connect(f"{url}/users/ada")
    assert caught.value.status == 404


def test_no_token_or_a_wrong_one_then_401_on_every_path_and_the_right_one_lets_in() -> None:
    with token_door.make_app(port=0).background() as url:
        for token in ("", "Bearer open", "Bearer \xfc", "Bearer open-sesame2"):
            for path in ("/", "/%61pi"):
                with pytest.raises(HandshakeFailed) as caught:
                    connect(url + path, headers=[("Authorization", token)])
                assert caught.value.status == 401
        with connect(url, headers=[("Authorization", "Bearer open-sesame")]) as connection:
            assert ask(connection, "hello") == "ada: hello"


def test_metrics_page_then_it_shows_ours_and_the_servers() -> None:
    with metrics_page.make_app(port=0).background() as url:
        with connect(f"{url}/orders") as connection:
            assert ask(connection, "tea") == "order 1 is taken"
        page = url.replace("ws://", "http://") + "/metrics"
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as response:
            text = response.read().decode()
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for line in ("shop_orders_total 1", "shop_orders_waiting 1.0", 'shop_order_bytes_bucket{le="10.0"} 1'):
        assert f"\n{line}\n" in text
    assert "\nhioload_messages_received_total 1\n" in text


def test_tls_then_its_client_trusts_the_authority_and_no_other() -> None:
    certificate, key = (str(CERTIFICATES / name) for name in ("localhost.pem", "localhost.key"))
    with tls_server.make_app(certificate, key, port=0).background() as url:
        url = f"wss://localhost:{url.rpartition(':')[2]}"
        assert tls_server.greet(url, str(CERTIFICATES / "authority.pem")) == "hello"
    with pytest.raises(InvalidArgument):
        tls_server.make_app(certificate, certificate)
