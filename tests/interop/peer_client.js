// node peer_client.js URL: the npm package `ws` as client. Prints the result as JSON.
"use strict";

const WebSocket = require("ws");
const { echoAll } = require("./peer_echo.js");

echoAll(WebSocket, process.argv[2]).then((result) => console.log(JSON.stringify(result)));
