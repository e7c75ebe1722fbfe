import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";
import type { Journals } from "../../services/journal/journals.js";
import { ClientLocks } from "../../services/lock/client-locks/client-locks.js";
import { Fence } from "../../services/lock/client-locks/fence.js";
import { LockRecords } from "../../services/lock/client-locks/records.js";
import { Leases } from "../../services/lock/leases.js";
import { pathTarget } from "../../services/lock/target.js";
import type { OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { Batons } from "../../services/protocol/baton.js";
import { batonDirectory } from "../../services/protocol/names.js";
import { Settler } from "../../services/protocol/settle.js";
import { PosixVolume } from "../../services/volume/posix.js";
import type { Name, Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { tempVolume } from "../cluster/volume.js";

const cleanup = new Cleanup();
after(() => cleanup.end());

const noError = (error: Error) => assert.fail(error);

/** Client locks on a real directory and a real Redis, with every change of the directory written down. */
async function parts() {
  const root = await tempVolume(cleanup);
  const redis = await startRedis({ cleanup });
  const volume = await PosixVolume.open(root, "local", noError);
  cleanup.defer(() => volume.close());
  for (const name of ["batons", "births", "closed", "fenced", "committed", "staging"])
    await mkdir(path.join(root, ".safefile", name), { recursive: true });
  const calls: string[] = [];
  const short = (value: unknown) => String((value as Name).at ?? value).replace(/^\/proc\/self\/fd\/\d+\//, "");
  const recorded = new Proxy(volume, {
    get(target, key) {
      const value = Reflect.get(target, key) as unknown;
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      if (!["rename", "unlink", "syncDirectory", "syncAll"].includes(String(key))) return call;
      return async (...args: unknown[]) => {
        const result = await call(...args);
        calls.push([String(key), ...args.map(short)].join(" ")); // when it is done
        return result;
      };
    },
  }) as Volume;
  const journals = { find: async () => undefined } as unknown as Journals;
  let operations = 0;
  const next = () => `01JZZZZZZZZZZZZZZZZZZZZZZZ.${++operations}` as OperationId;
  const fence = new Fence(
    recorded,
    new Batons(recorded, 10),
    new Settler(recorded, journals),
    next,
    async () => undefined,
  );
  const records = new LockRecords(recorded);
  const leases = new Leases(
    [redis.url],
    "01JZZZZZZZZZZZZZZZZZZZZZZZ",
    { leaseMs: 1_000, leaseKeepMs: 0, leasesKeptMax: 0, wakeUpMsMax: 50, agingMs: 50, commandTimeoutMs: 1_000 },
    { isNothingGranted: async () => true, restore: (server) => records.restore(server, 1_000) },
    () => undefined,
  );
  cleanup.defer(() => leases.close());
  await leases.voting();
  const locks = new ClientLocks(leases, records, fence, { locksMax: 10, requestIdKeepMs: 1_000 });
  return { calls, fence, locks };
}

const wanted = (name: string, ttlMs = 30_000) => ({
  targets: [pathTarget(name as FilePath)],
  ...{ ttlMs, waitMs: 10_000, priority: 0, requestId: "", requestSha256: "", name: "", party: "", labels: {} },
  ...{ traceId: "", signal: new AbortController().signal },
});

test("a token is durable before anybody is told of it", async () => {
  const { calls, fence } = await parts();
  for (const name of ["a", "a", "b"]) {
    calls.length = 0;
    const directory = batonDirectory(pathHash(name as FilePath));
    const { tokens } = await fence.raise([name as FilePath]);
    const raised = calls.findLastIndex((call) => call.startsWith("rename batons/") && call.includes(`.${tokens[0]}.`));
    const synced = calls.lastIndexOf(`syncDirectory ${directory}`);
    assert.ok(raised >= 0 && synced > raised, `raised and not flushed:\n${calls.join("\n")}`);
  }
  calls.length = 0;
  await fence.raise(Array.from({ length: 100 }, (_, at) => `many/${at}` as FilePath));
  assert.equal(calls.at(-1), "syncAll", "many directories are flushed at once");
});

test("whose place is taken loses its file, durably, before the token rises; the new file comes last", async () => {
  const { calls, locks } = await parts();
  const { lock: old } = await locks.acquire(wanted("a", 50));
  calls.length = 0;
  const { lock } = await locks.acquire(wanted("a"));
  assert.ok(lock.record.tokens[0]! > old.record.tokens[0]!);
  const place = (what: string) => {
    const at = calls.findIndex((call) => call.startsWith(what));
    assert.ok(at >= 0, `${what} is missing:\n${calls.join("\n")}`);
    return at;
  };
  const order = [
    place(`unlink locks/${old.record.entry.id}`),
    place("syncDirectory locks"),
    place("rename batons/"),
    place("syncDirectory batons/"),
    place("rename locks/draft."),
    calls.lastIndexOf("syncDirectory locks"),
  ];
  assert.deepEqual(
    order,
    order.toSorted((left, right) => left - right),
    calls.join("\n"),
  );
});

test("more locks than the limit are refused; those that are over make room", async () => {
  const { locks } = await parts();
  for (let at = 0; at < 10; at++) await locks.acquire(wanted(`full/${at}`, at === 9 ? 2_000 : 60_000));
  await assert.rejects(locks.acquire(wanted("full/x")), { reason: "LIMIT_EXCEEDED" });
  for (let look = 0; ; look++) {
    const granted = await locks.acquire(wanted("full/x")).catch(() => undefined);
    if (granted) break;
    assert.ok(look < 500, "the one that expired makes no room");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
