"""An echo server and a place to talk: what the front page shows, as a program.

Run ``python examples/echo_server.py`` and, elsewhere, ``hioload-ws connect ws://127.0.0.1:9001/echo``. The text
between the marks is that of ``README.md``, to the letter; a test compares the two, runs it and talks to it.
"""

# [README]
from hioload_ws import Connection, Message, Server

app = Server("127.0.0.1", 9001)


@app.route("/echo")
def echo(connection: Connection, message: Message) -> None:
    connection.send(message)  # same kind, no copy of the payload on our side


@app.route("/rooms/:room")
def talk(connection: Connection, message: Message) -> None:
    room = connection.params["room"]
    others = [each for each in app.connections if each.params.get("room") == room and each is not connection]
    app.broadcast(message, among=others)  # the frame is built once for all


app.run()  # until SIGINT or SIGTERM; then it drains and returns
# [/README]
