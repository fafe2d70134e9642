"""The demo's page: a chat in one file, without anything from elsewhere.

What others wrote is put into the page as text nodes, never as HTML: a demo is read as an example, and this is
where such examples are usually wrong.
"""

from __future__ import annotations

from typing import Final

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hioload-ws chat</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 40rem; padding: 1rem;
         display: flex; flex-direction: column; height: 100vh; box-sizing: border-box; }
  h1 { font-size: 1.1rem; margin: 0 0 .5rem; }
  #log { flex: 1; overflow-y: auto; border: 1px solid #bbb; border-radius: .5rem; padding: .5rem 1rem; }
  #log p { margin: .2rem 0; overflow-wrap: anywhere; }
  form { display: flex; gap: .5rem; margin-top: .5rem; }
  input { flex: 1; font: inherit; padding: .4rem .6rem; }
  button { font: inherit; padding: .4rem 1rem; }
</style>
<h1>hioload-ws chat <small id="state">connecting</small></h1>
<div id="log" role="log"></div>
<form><input id="line" autocomplete="off" autofocus placeholder="Say something" maxlength="2000">
<button>Send</button></form>
<script>
  const log = document.getElementById("log"), line = document.getElementById("line");
  const state = document.getElementById("state");
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const name = "browser-" + Math.random().toString(36).slice(2, 6);
  const socket = new WebSocket(scheme + location.host + "/chat/" + name);
  function show(text) {
    const entry = document.createElement("p");
    entry.textContent = text;
    log.append(entry);
    entry.scrollIntoView();
  }
  socket.onopen = () => state.textContent = "open";
  socket.onmessage = event => show(event.data);
  socket.onclose = event => state.textContent = "closed (" + event.code + ") " + event.reason;
  document.querySelector("form").onsubmit = event => {
    event.preventDefault();
    if (line.value && socket.readyState === WebSocket.OPEN) socket.send(line.value);
    line.value = "";
  };
</script>
</html>
"""

__all__ = ["PAGE"]
