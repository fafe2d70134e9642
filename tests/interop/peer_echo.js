// Echoes every payload over one WebSocket after another and compares what comes back, byte by byte.
// It uses nothing but the browser's WebSocket interface, which the npm package `ws` offers too, so that one and the
// same code runs in Node.js and in a page.
"use strict";

const LENGTHS = [0, 1, 125, 126, 65535, 65536, 16 * 1024 * 1024];
const PATTERN = "aé€😀 Zwölf Boxkämpfer. ";
const LIMIT_MS = 60000;

// A text whose UTF-8 form has exactly `length` bytes.
function textOf(length) {
  const patternBytes = new TextEncoder().encode(PATTERN).length;
  return PATTERN.repeat(Math.floor(length / patternBytes)) + "x".repeat(length % patternBytes);
}

// `length` bytes of the xorshift32 sequence: no pattern that a wrong offset could hide in.
function binaryOf(length) {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9 ^ length;
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

// The index of the first difference, or -1.
function firstDifference(sent, received) {
  if (sent.length !== received.length) return Math.min(sent.length, received.length);
  for (let index = 0; index < sent.length; index += 1) if (sent[index] !== received[index]) return index;
  return -1;
}

function complaint(sent, received) {
  if (typeof sent === "string") {
    if (typeof received !== "string") return "text came back as binary";
    return sent === received ? null : `text differs, lengths ${sent.length} and ${received.length}`;
  }
  if (typeof received === "string") return "binary came back as text";
  const at = firstDifference(sent, new Uint8Array(received));
  return at < 0 ? null : `binary of ${sent.length} bytes differs at byte ${at}`;
}

// Sends all messages at once on one connection, expects them back in order, then closes with code 1000.
function echo(Socket, url, messages) {
  return new Promise((resolve, reject) => {
    const socket = new Socket(url);
    socket.binaryType = "arraybuffer";
    let next = 0;
    const fail = (text) => {
      clearTimeout(timer);
      reject(new Error(text));
    };
    const timer = setTimeout(() => fail(`no echo within ${LIMIT_MS} ms`), LIMIT_MS);
    socket.onerror = () => fail("the connection failed");
    socket.onopen = () => messages.forEach((message) => socket.send(message));
    socket.onmessage = (event) => {
      const wrong = next < messages.length ? complaint(messages[next], event.data) : "one message too many";
      if (wrong !== null) return fail(wrong);
      next += 1;
      if (next === messages.length) socket.close(1000, "done");
    };
    socket.onclose = (event) => {
      if (next < messages.length) return fail(`closed early with code ${event.code} ${event.reason}`);
      if (!event.wasClean || event.code !== 1000) return fail(`closed with ${event.code}, clean: ${event.wasClean}`);
      clearTimeout(timer);
      resolve(messages.length);
    };
  });
}

// Returns {passed: number of messages, failures: [text]}: each message alone, then the small ones all in flight.
async function echoAll(Socket, url) {
  const result = { passed: 0, failures: [] };
  const messages = LENGTHS.flatMap((length) => [textOf(length), binaryOf(length)]);
  const small = messages.filter((message) => message.length <= 65536);
  const rounds = messages.map((message) => [message]);
  rounds.push(Array.from({ length: 10 }, () => small).flat());
  for (const round of rounds) {
    try {
      result.passed += await echo(Socket, url, round);
    } catch (error) {
      result.failures.push(`${round.length} message(s) from ${typeof round[0]} of ${round[0].length}: ${error.message}`);
    }
  }
  return result;
}

if (typeof module !== "undefined") module.exports = { echoAll };
