"""Metrics of your own, beside the server's, on a page that Prometheus reads.

Run ``python examples/metrics_page.py``, then ``curl http://127.0.0.1:9001/metrics``. A request hook may answer any
plain request on the same port; a counter costs an addition, a gauge that is asked for costs nothing in between.
"""

from __future__ import annotations

from hioload_ws import Connection, Message, Request, Response, Server
from hioload_ws.control.prometheus import CONTENT_TYPE, render

PAGE_HEADERS = (("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store"))


def make_app(host: str = "127.0.0.1", port: int = 9001) -> Server:
    """Return the server, not started."""
    app = Server(host, port)
    orders: list[bytes] = []
    taken = app.metrics.counter("shop_orders_total", "Orders taken.")
    sizes = app.metrics.histogram("shop_order_bytes", (10, 100, 1000), "How long orders are.")
    app.metrics.observe_with("shop_orders_waiting", lambda: len(orders), "Orders that nobody works on yet.")

    @app.on_request
    def show_metrics(request: Request) -> Response | None:
        if request.method == "GET" and request.path == "/metrics":
            return Response(200, headers=PAGE_HEADERS, body=render(app.metrics.families()).encode())
        return None

    @app.route("/orders")
    def take(connection: Connection, message: Message) -> None:
        orders.append(message.copy())  # a copy: the message itself is gone when the handler returns
        taken.add()
        sizes.observe(len(message))
        connection.send(f"order {taken.value} is taken")

    return app


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    make_app().run()


if __name__ == "__main__":
    main()
