import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RevisionKind, SafefileClient, SafefileError, type WatchFilesResponse } from "@safefile/client";
import { Redis } from "ioredis";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster, type Running } from "../crash/cluster.js";
import { flush } from "./world.js";

const bytes = (text: string): Buffer => Buffer.from(text);
const WAIT_MS = 30_000;

type Options = Parameters<SafefileClient["watch"]>[1];

/** What a watch has said so far, and a way to wait for more. */
class Seen {
  readonly events: WatchFilesResponse[] = [];
  readonly ended: Promise<unknown>;
  private readonly stop = new AbortController();

  private constructor(client: SafefileClient, where: string, options: Options) {
    const read = async (): Promise<unknown> => {
      try {
        for await (const event of client.watch(where, { ...options, signal: this.stop.signal }))
          this.events.push(event);
        return undefined;
      } catch (error) {
        return error;
      }
    };
    this.ended = read();
  }

  /** Returns once the watch is live: what is written from then on must be seen. */
  static async start(cleanup: Cleanup, client: SafefileClient, where = "", options: Options = {}): Promise<Seen> {
    const seen = new Seen(client, where, options);
    cleanup.defer(() => seen.end());
    await seen.until(() => seen.events.length > 0);
    return seen;
  }

  get token(): string {
    return this.events.at(-1)?.resumeToken ?? "";
  }

  get gaps(): number {
    return this.events.filter(({ event }) => event.case === "gap").length;
  }

  /** `path@revision` in the order seen. */
  get changes(): string[] {
    return this.events.flatMap(({ event }) =>
      event.case === "change" ? [`${event.value.revision?.path}@${event.value.revision?.revision}`] : [],
    );
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    let over: unknown = "open";
    void this.ended.then((error) => {
      over = error;
    });
    while (!condition()) {
      assert(over === "open", `the watch ended: ${String(over)}`);
      assert(
        performance.now() < deadline,
        `not seen; so far: ${this.events.length} events, ${this.changes.slice(-20)}`,
      );
      await sleep(5);
    }
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.ended;
  }
}

/** Each path's revisions must rise by one, whatever comes between. */
function assertInOrder(changes: readonly string[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const change of changes) {
    const [where = "", revision] = change.split("@");
    const before = last.get(where);
    if (before !== undefined) assert.equal(Number(revision), before + 1, `${where}: ${revision} after ${before}`);
    last.set(where, Number(revision));
  }
  return last;
}

const QUIET = { watchHeartbeatMs: 200 };

test("a watch says each change of a tree once, in order, by whichever replica it was made", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, QUIET);
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  await one.write("tree/before.txt", bytes("not seen"));
  const all = await Seen.start(cleanup, two, "", { recursive: true });
  const direct = await Seen.start(cleanup, one, "tree");
  const root = await Seen.start(cleanup, one, "");
  const single = await Seen.start(cleanup, two, "tree/a.txt");
  const absent = await Seen.start(cleanup, two, "not/there/yet", { recursive: true });
  assert.deepEqual(all.events[0]?.event.case, "heartbeat");

  await one.write("tree/a.txt", bytes("1"));
  await two.write("tree/a.txt", bytes("2"));
  await two.write("tree/deep/b.txt", bytes("1"));
  await one.write("top.txt", bytes("1"));
  await two.write("treeless.txt", bytes("1"));
  await two.remove("tree/a.txt");
  await one.write("not/there/yet/c.txt", bytes("1"));
  await writeFile(path.join(cluster.volume, "top.txt"), "from outside");
  await one.write("top.txt", bytes("3"));

  await all.until(() => all.changes.length >= 9);
  const made = ["tree/a.txt@1", "tree/a.txt@2", "tree/deep/b.txt@1", "top.txt@1", "treeless.txt@1", "tree/a.txt@3"];
  assert.deepEqual([...all.changes].sort(), [...made, "not/there/yet/c.txt@1", "top.txt@2", "top.txt@3"].sort());
  assertInOrder(all.changes);
  const kinds = all.events.flatMap(({ event }) => (event.case === "change" ? [event.value.revision] : []));
  assert.equal(kinds.find((each) => each?.path === "top.txt" && each.revision === 2n)?.kind, RevisionKind.EXTERNAL);
  assert.equal(kinds.find((each) => each?.path === "tree/a.txt" && each.revision === 3n)?.kind, RevisionKind.DELETE);
  await single.until(() => single.changes.length >= 3);
  await direct.until(() => direct.changes.length >= 3);
  await absent.until(() => absent.changes.length >= 1);
  await root.until(() => root.changes.length >= 4);
  // Heartbeats come after all that was committed before them.
  for (const each of [direct, root, single, absent]) {
    const heard = each.events.length;
    await each.until(() => each.events.slice(heard).some(({ event }) => event.case === "heartbeat"));
  }
  assert.deepEqual(direct.changes, ["tree/a.txt@1", "tree/a.txt@2", "tree/a.txt@3"]);
  assert.deepEqual(single.changes, direct.changes);
  assert.deepEqual([...root.changes].sort(), ["top.txt@1", "top.txt@2", "top.txt@3", "treeless.txt@1"]);
  assert.deepEqual(absent.changes, ["not/there/yet/c.txt@1"]);
});

test("nothing is missing, and order holds, when writers on both replicas meet and one replica is killed", {
  timeout: 180_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, QUIET);
  const third = await cluster.add();
  const watcher = await Seen.start(cleanup, third.client, "", { recursive: true });
  const highest = new Map<string, number>();
  const WRITES = 1_500;
  const writer = async (at: number): Promise<void> => {
    for (let n = 0; n < WRITES / 6; n++) {
      const client = cluster.clients[(at + n) % 2] as SafefileClient;
      const where = `shared/file-${(at * 7 + n) % 10}`;
      try {
        const { revision } = await client.write(where, bytes(`${at}-${n}`));
        highest.set(where, Math.max(highest.get(where) ?? 0, Number(revision?.revision)));
      } catch (error) {
        assert(error instanceof SafefileError);
      }
    }
  };
  const work = Promise.all(Array.from({ length: 6 }, (_, at) => writer(at)));
  await watcher.until(() => watcher.changes.length > WRITES / 4);
  await cluster.running[0]?.replica.kill();
  await cluster.add(0);
  await work;
  const missing = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const where of highest.keys())
      for await (const { revision } of third.client.revisions(where)) all.push(`${where}@${revision}`);
    const seen = new Set(watcher.changes);
    return all.filter((each) => !seen.has(each));
  };
  const deadline = performance.now() + WAIT_MS;
  let left = await missing();
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(100);
    left = await missing();
  }
  assert.deepEqual(left, []);
  assert.equal(watcher.gaps, 0);
  const last = assertInOrder(watcher.changes);
  for (const [where, revision] of highest) assert((last.get(where) ?? 0) >= revision);
  t.diagnostic(`${watcher.changes.length} changes seen`);
});

test("I7: a change that its replica took to the grave before Redis heard of it is seen", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 1, QUIET);
  const dying = cluster.running[0] as Running;
  const { client } = await cluster.add();
  const watcher = await Seen.start(cleanup, client, "", { recursive: true });
  await dying.client.write("grave.txt", bytes("1"));
  await watcher.until(() => watcher.changes.includes("grave.txt@1"));
  // Redis refuses what would be announced, but lets locks and looks through.
  const redis = new Redis(cluster.redis.url);
  cleanup.defer(() => redis.disconnect());
  const [log = ""] = await redis.keys("safefile:*:changes");
  const [head = ""] = await redis.keys("safefile:*:f:*");
  await redis.rename(log, "kept");
  await redis.set(log, "of another type, so that XADD fails");
  const { operationId } = await dying.client.write("grave.txt", bytes("2"));
  await dying.replica.kill();
  assert.equal(await redis.hexists(head, "2"), 0, "nothing was announced");
  await redis.rename("kept", log);
  await watcher.until(() => watcher.changes.includes("grave.txt@2"));
  assert.equal(watcher.gaps, 0);
  assert(operationId.startsWith(dying.replica.incarnation));
});

test("a token goes on where it was, on another replica and after a restart", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, QUIET);
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const first = await Seen.start(cleanup, one, "d", { recursive: true });
  await one.write("d/a", bytes("1"));
  await first.until(() => first.changes.length === 1);
  const { token } = first;
  await first.end();
  for (let n = 0; n < 700; n++) await (n % 2 ? one : two).write(`d/file-${n % 50}`, bytes(`${n}`));
  const resumed = await Seen.start(cleanup, two, "d", { recursive: true, resumeToken: token });
  await two.write("d/last", bytes("1"));
  await resumed.until(() => resumed.changes.includes("d/last@1"));
  assert.equal(resumed.gaps, 0);
  assert.equal(resumed.changes.length, 701);
  assertInOrder(resumed.changes);
  await cluster.running[0]?.replica.kill();
  const { client } = await cluster.add(0);
  const again = await Seen.start(cleanup, client, "d", { recursive: true, resumeToken: token });
  await again.until(() => again.changes.includes("d/last@1"));
  assert.deepEqual([...again.changes].sort(), [...resumed.changes].sort());
  assert.equal(again.gaps, 0);
});

test("when Redis forgets everything a watch has one gap, and then goes on", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, QUIET);
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const live = await Seen.start(cleanup, two, "", { recursive: true });
  await one.write("a", bytes("1"));
  await live.until(() => live.changes.length === 1);
  const { token } = live;
  await flush(cluster.redis);
  await live.until(() => live.gaps > 0);
  const resumed = await Seen.start(cleanup, one, "", { recursive: true, resumeToken: token });
  assert.equal(resumed.gaps, 1, "an old token gets its gap first");
  await one.write("a", bytes("2"));
  await one.write("b", bytes("1"));
  await live.until(() => live.changes.includes("b@1"));
  await resumed.until(() => resumed.changes.includes("b@1"));
  assert.deepEqual([live.gaps, resumed.gaps], [1, 1]);
  assert.deepEqual(resumed.changes, ["a@2", "b@1"]);
  assertInOrder(live.changes);
});

test("a token from before what Redis keeps gets a gap, then what comes", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 1, { ...QUIET, changesKeptMax: 100 });
  const [client] = cluster.clients as [SafefileClient];
  const first = await Seen.start(cleanup, client, "", { recursive: true });
  const { token } = first;
  for (let n = 0; n < 400; n++) await client.write("f", bytes(`${n}`));
  await first.until(() => first.changes.includes("f@400"));
  assert.equal(first.gaps, 0);
  assert.equal(first.changes.length, 400);
  const late = await Seen.start(cleanup, client, "", { recursive: true, resumeToken: token });
  await late.until(() => late.changes.includes("f@400"));
  assert.equal(late.gaps, 1);
  assert.equal(late.events[0]?.event.case, "gap");
  assert(late.changes.length < 400);
  assertInOrder(late.changes);
});

test("a replica that leaves ends its watches, and the client goes on elsewhere", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, QUIET);
  const [one, two] = cluster.running;
  assert(one && two);
  const address = `ipv4:${one.replica.address},${two.replica.address}`;
  const both = new SafefileClient({ address });
  cleanup.defer(() => both.close());
  const alone = await Seen.start(cleanup, one.client, "", { recursive: true });
  const moving = await Seen.start(cleanup, both, "", { recursive: true });
  await two.client.write("a", bytes("1"));
  await moving.until(() => moving.changes.length === 1);
  await one.replica.stop();
  const error = await alone.ended;
  assert(error instanceof SafefileError);
  assert.deepEqual([error.status, error.reason], ["UNAVAILABLE", "REPLICA_DRAINING"]);
  await two.client.write("a", bytes("2"));
  await moving.until(() => moving.changes.includes("a@2"));
  assert.equal(moving.gaps, 0);
  assertInOrder(moving.changes);
});

test("I14: a reader that stands still costs a gap and no memory, and others do not wait for it", {
  timeout: 120_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  // Room for what comes at once, of which a reader that keeps up takes one after the other.
  const cluster = await Cluster.start(cleanup, 1, { ...QUIET, watchBufferMax: 60 });
  const [client] = cluster.clients as [SafefileClient];
  // A window of the least size, and nothing is taken out of it.
  const slow = new SafefileClient({
    address: cluster.running[0]?.replica.address ?? "",
    windows: { receiveBytes: 65_535 },
  });
  cleanup.defer(() => slow.close());
  const stop = new AbortController();
  cleanup.defer(() => stop.abort());
  const events = slow.watch("", { recursive: true, signal: stop.signal });
  assert.equal((await events.next()).value?.event.case, "heartbeat");
  const other = await Seen.start(cleanup, client, "", { recursive: true });
  const labels = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`label-${at}`, "x".repeat(256)]));
  const WRITES = 400;
  for (let n = 0; n < WRITES; n += 8)
    await Promise.all(Array.from({ length: 8 }, (_, at) => client.write(`f-${at}`, bytes(`${n}`), { labels })));
  await other.until(() => other.changes.length === WRITES);
  assert.equal(other.gaps, 0);
  let gaps = 0;
  let changes = 0;
  for await (const { event } of events) {
    if (event.case === "gap") gaps += 1;
    if (event.case === "change") changes += 1;
    if (event.case === "heartbeat" && gaps > 0) break;
  }
  assert.equal(gaps, 1);
  assert(changes < WRITES);
});

test("more watches than a replica may have are refused, and ended ones make room", async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 1, { ...QUIET, watchersMax: 1 });
  const [client] = cluster.clients as [SafefileClient];
  const first = await Seen.start(cleanup, client);
  await assert.rejects(client.watch("").next(), (error) => {
    assert(error instanceof SafefileError);
    assert.deepEqual([error.status, error.reason], ["RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"]);
    return true;
  });
  await first.end();
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    try {
      await Seen.start(cleanup, client);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
});
