// node peer_server.js: the npm package `ws` as an echo server, with compression. Prints its port; ends with its input.
"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: true });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
