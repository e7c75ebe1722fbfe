import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld } from "./world.js";

const KiB = 1024;

test("a replica takes in as many bytes, on a stream and on a connection, as its settings say", async (t) => {
  const settings = { SAFEFILE_STREAM_WINDOW_BYTES: `${512 * KiB}`, SAFEFILE_CONNECTION_WINDOW_BYTES: `${1024 * KiB}` };
  const cleanup = Cleanup.of(t);
  const world = await startWorld(cleanup, settings);
  const session = http2.connect(`http://${world.replica.address}`);
  cleanup.defer(() => session.destroy());
  const [remote] = (await once(session, "remoteSettings")) as [http2.Settings];
  assert.equal(remote.initialWindowSize, 512 * KiB);
  // The connection's window is told in a frame of its own, some time after the settings.
  for (let calls = 0; calls < 10 && session.state.remoteWindowSize !== 1024 * KiB; calls++) {
    const stream = session.request({ ":method": "POST", ":path": "/none", "content-type": "application/grpc" });
    stream.end();
    await once(stream.resume(), "close");
  }
  assert.equal(session.state.remoteWindowSize, 1024 * KiB);
});
