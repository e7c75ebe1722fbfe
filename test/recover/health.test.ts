import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileClient } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { freePort, startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { admin, file } from "../system/bad-case.js";
import { health } from "../system/health.js";
import { ask, RawClient } from "../system/raw.js";
import { pretendReboot } from "./copy.js";

const FILES = 300;

test("I14: while a replay goes on, health answers and calls are refused: nothing is served that was not recovered", async (t) => {
  const cleanup = Cleanup.of(t);
  const [volume, redis, port] = [await tempVolume(cleanup), await startRedis({ cleanup }), await freePort()];
  const env = { SAFEFILE_LISTEN: `127.0.0.1:${port}`, SAFEFILE_CHECKPOINT_MS: "3600000" };
  const first = await startReplica({ cleanup, volume, redis: [redis.url], env });
  const client = new SafefileClient({ address: first.address });
  cleanup.defer(() => client.close());
  await Promise.all(Array.from({ length: FILES }, (_, n) => client.write(`d/${n}`, Buffer.from(`content ${n}`))));
  await first.kill();
  await pretendReboot(volume);
  await rm(path.join(volume, "d"), { recursive: true });

  let raw = new RawClient(`127.0.0.1:${port}`);
  cleanup.defer(() => raw.close());
  // A file after the other, so that it takes a while.
  const slow = { ...env, SAFEFILE_RECOVER_PARALLEL: "1" };
  let isReady = false;
  const second = startReplica({ cleanup, volume, redis: [redis.url], env: slow }).finally(() => {
    isReady = true;
  });
  const said = new Map<string, number>();
  const note = (what: string): void => void said.set(what, (said.get(what) ?? 0) + 1);
  while (!isReady) {
    const status = await health(raw);
    note(status);
    if (status === "UNAVAILABLE") {
      // A client that found nobody there waits for a second before it tries again; the replay may be over by then.
      raw.close();
      raw = new RawClient(`127.0.0.1:${port}`);
    }
    // Early on, when the replay has long to go: these would be carried out after it.
    if (status === "NOT_SERVING" && said.get(status) === 1) {
      for (const call of [
        ask(file.readFile, { path: "d/1" }),
        ask(file.writeFile, { path: "d/1", data: Buffer.from("new") }),
        ask(admin.drainReplica, {}),
      ]) {
        const { code, info } = await raw.send(call);
        assert.deepEqual(
          [code, info?.reason, info?.metadata.outcome],
          ["UNAVAILABLE", "VOLUME_UNAVAILABLE", "NOT_COMMITTED"],
          call.method.name,
        );
      }
    }
    await sleep(5);
  }
  await second;
  assert((said.get("NOT_SERVING") ?? 0) > 5, JSON.stringify([...said]));
  assert.equal(await health(raw), "SERVING");
  for (let n = 0; n < FILES; n++) assert.equal(await readFile(path.join(volume, `d/${n}`), "utf8"), `content ${n}`);
});
