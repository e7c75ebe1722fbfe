import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { widenWindows } from "../../services/api/windows.js";

const NARROW = 65_535;
const WIDE = 300_000;
const BYTES = Buffer.alloc(1_000_000);
/** Headers of frames, settings and pings. */
const FRAMES_BYTES_MAX = 10_000;
const POLL_MS = 5;
const TIMEOUT_MS = 20_000;

/** A server that takes nothing of what it is sent. */
async function start(t: TestContext): Promise<Http2Server> {
  const server = createServer();
  server.on("stream", (stream) => stream.on("error", () => undefined).respond());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return server;
}

function connectTo(t: TestContext, server: Http2Server): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => session.destroy());
  return session;
}

/** Answered behind everything that was sent before. */
const ping = (session: ClientHttp2Session): Promise<unknown> =>
  new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve(undefined))));

const sent = (session: ClientHttp2Session): number => session.socket.bytesWritten;

/** Sends more than any window; resolves when at least `bytes` have left. */
async function send(session: ClientHttp2Session, bytes: number): Promise<void> {
  const before = sent(session);
  const stream = session.request({ ":method": "POST" }, { endStream: false });
  stream.on("error", () => undefined);
  stream.write(BYTES);
  while (sent(session) - before < bytes) await setTimeout(POLL_MS);
}

test("a client may send as much of each call as the window says before anybody takes it, and no more", {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const server = await start(t);
  const narrow = widenWindows(WIDE);
  const session = connectTo(t, server);
  await send(session, WIDE);
  await ping(session);
  assert.ok(sent(session) < WIDE + FRAMES_BYTES_MAX, `${sent(session)} bytes left`);
  // The first call waits for nobody, but it does not use up what the others share.
  await send(session, WIDE);
  assert.equal(session.remoteSettings.initialWindowSize, WIDE);
  assert.ok((session.state.remoteWindowSize ?? 0) > NARROW, "all calls together have no more than one");

  narrow();
  const later = connectTo(t, server);
  await send(later, NARROW);
  await ping(later);
  assert.ok(sent(later) < NARROW + FRAMES_BYTES_MAX, `${sent(later)} bytes left`);
});
