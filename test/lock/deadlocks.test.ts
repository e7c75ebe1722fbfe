import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { LockDeadlockError } from "../../services/errors/index.js";
import { Deadlocks } from "../../services/lock/deadlocks.js";
import { type LeaseHold, Leases } from "../../services/lock/leases.js";
import { subtreeTarget, type Target } from "../../services/lock/target.js";
import { listAll, listServer } from "../../services/lock/view.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { randomFrom } from "../protocol/scheduler.js";
import { runCircles } from "./circles.js";
import { wish } from "./wish.js";

const SEED = Number(process.env.SAFEFILE_TEST_SEED ?? 1);
const SIMULATED = Number(process.env.SAFEFILE_TEST_CIRCLES_SIMULATED ?? 300);
const CIRCLES = Number(process.env.SAFEFILE_TEST_CIRCLES ?? 10);
const LIMITS = {
  leaseMs: 10_000,
  commandTimeoutMs: 5_000,
  wakeUpMsMax: 200,
  leaseKeepMs: 500,
  leasesKeptMax: 1_000,
  agingMs: 50,
  deadlockAfterMs: 300,
  deadlockConfirmMs: 100,
};
const LOOK_MS = 500;
/** A promise that is kept at all; how soon is printed. */
const FOUND_MS_MAX = 60_000;

test("a seed is a run: the same twice", async () => {
  for (let seed = SEED; seed < SEED + 3; seed++) assert.deepEqual(await runCircles(seed), await runCircles(seed));
});

test(`${SIMULATED} simulated runs from seed ${SEED}: every circle is found, and nobody gives way without one`, {
  timeout: 120_000 + SIMULATED * 500,
}, async (t) => {
  // In a process of its own: the hooks of the test runner make each await many times slower.
  const env = { ...process.env, SEEDS: String(SIMULATED), FROM: String(SEED) };
  const main = path.join(import.meta.dirname, "circles-main.js");
  const run = spawn(process.execPath, ["--enable-source-maps", main], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => run.kill("SIGKILL"));
  const [output, code] = await Promise.all([text(run.stdout), once(run, "exit").then(([exitCode]) => exitCode)]);
  assert.equal(code, 0, `FROM=<the seed> SEEDS=1 node dist/test/lock/circles-main.js shows it again:\n${output}`);
  t.diagnostic(output.trimEnd().split("\n").at(-1) ?? "");
  assert(Number(/ (\d+) victims/.exec(output)?.[1]) > SIMULATED / 10, "circles came about");
});

/** Several replicas' leases over three lock servers, each looking for circles as a replica does. */
async function parts(t: TestContext, replicas: number) {
  const cleanup = Cleanup.of(t);
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ cleanup })));
  const stop = new AbortController();
  const safety = { isNothingGranted: async () => true, restore: async () => undefined };
  const urls = servers.map(({ url }) => url);
  const found: string[][] = [];
  const all = Array.from({ length: replicas }, () => new Leases(urls, "circles", LIMITS, safety, () => undefined));
  const loops = all.map(async (leases, at) => {
    const deadlocks = new Deadlocks(leases, LIMITS, ({ entries }) => void found.push([...entries]));
    await new Promise((resolve) => setTimeout(resolve, (at * LOOK_MS) / replicas));
    while (!stop.signal.aborted) {
      await deadlocks.look(stop.signal);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  });
  cleanup.defer(async () => {
    stop.abort();
    await Promise.all(loops);
    for (const leases of all) {
      await leases.settled(AbortSignal.timeout(5_000));
      leases.close();
    }
  });
  await Promise.all(all.map((leases) => leases.voting()));
  return { all, found, servers };
}

const exclusive = (name: string): Target => ({ path: name as Target["path"], scope: "path", mode: "exclusive" });

test(`${CIRCLES} circles of 2 to 8 parties over several replicas on real Redis: one gives way, the others go on`, {
  timeout: 120_000 + CIRCLES * 20_000,
}, async (t) => {
  const { all, found } = await parts(t, 3);
  const random = randomFrom(SEED);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const foundMs: number[] = [];

  /** Each holds one thing and then asks for what the next one has; who gives way lets go. */
  async function ring(round: number): Promise<void> {
    const count = 2 + Math.floor(random() * 7);
    const root = `r${round}`;
    const isRing = random() < 0.85;
    const parties = Array.from({ length: count }, (_, at) => ({
      party: `${root}-p${at}`,
      leases: pick(all),
      // A subtree of what the one before wants a part of, or something shared that it wants for itself.
      has: { ...exclusive(`${root}/${at}`), ...pick([{}, { scope: "subtree" }, { mode: "shared" }]) } as Target,
    }));
    const holds: LeaseHold[] = [];
    for (const { leases, has, party } of parties)
      holds.push(await leases.acquire(wish([has], { party, waitMs: FOUND_MS_MAX })));
    let victims = 0;
    const bystanders: Promise<void>[] = [];
    const fromMs = performance.now();
    const waits = parties.map(async ({ leases, party }, at) => {
      const next = parties[(at + 1) % count]?.has as Target;
      const name = next.scope === "subtree" && random() < 0.5 ? `${next.path}/below` : next.path;
      if (!isRing && at === count - 1) return;
      try {
        const hold = await leases.acquire(wish([exclusive(name)], { party, waitMs: FOUND_MS_MAX }));
        hold.release();
      } catch (error) {
        assert(error instanceof LockDeadlockError, String(error));
        victims += 1;
        foundMs.push(performance.now() - fromMs);
        assert.equal(error.metadata.circle_size, String(count));
        assert.match(error.message, /^Waiting for .* would never have ended: this call waits for /);
        assert.equal((JSON.parse(error.metadata.circle ?? "") as { party: string }[])[0]?.party, party);
      } finally {
        holds[at]?.release();
      }
    });
    // An ordinary change that comes in between waits until all is over, and is never the one that gives way.
    for (const { has } of parties.slice(0, 2))
      bystanders.push(
        pick(all)
          .acquire(wish([{ ...has, mode: "exclusive" }], { waitMs: FOUND_MS_MAX }))
          .then((hold) => hold.release()),
      );
    if (!isRing) setTimeout(() => holds.at(-1)?.release(), 700 + random() * 500);
    await Promise.all([...waits, ...bystanders]);
    assert.equal(victims, isRing ? 1 : 0, `${root}: ${count} parties`);
  }

  const PARALLEL = 4;
  for (let round = 0; round < CIRCLES; round += PARALLEL)
    await Promise.all(Array.from({ length: Math.min(PARALLEL, CIRCLES - round) }, (_, at) => ring(round + at)));
  assert.equal(found.length, foundMs.length, "each circle was broken once");
  foundMs.sort((left, right) => left - right);
  const late = foundMs.filter((ms) => ms > 2_000).length;
  t.diagnostic(
    `seed ${SEED}: ${CIRCLES} rounds, ${foundMs.length} circles, found after ${foundMs[foundMs.length >> 1]?.toFixed(0)} ms, ${foundMs.at(-1)?.toFixed(0)} ms at most; ${late} after more than two seconds`,
  );
});

test("what a majority says is listed in pages, each request once; without a majority nothing is", async (t) => {
  const { all, servers } = await parts(t, 2);
  const [leases, other] = all as [Leases, Leases];
  const holds = await Promise.all(
    Array.from({ length: 450 }, (_, at) => leases.acquire(wish([exclusive(`many/${at}`), exclusive(`more/${at}`)]))),
  );
  const root = await other.acquire(wish([subtreeTarget("")], { waitMs: 0 })).catch((error: Error) => error.name);
  assert.equal(root, "LockTimeoutError");
  // It fails at some time after there is no majority any more.
  const wait = other.acquire(wish([subtreeTarget("")], { party: "all" })).catch(() => undefined);
  const ids = (lines: readonly { entry: { id: string }; state: string }[]) => lines.map(({ entry }) => entry.id).sort();
  const lines = await untilListed(leases, 451);
  const own = holds.map(({ id }) => id as string).sort();
  assert.deepEqual(ids(lines.filter(({ state }) => state === "holding")), own);
  const [server] = leases.quorum.servers;
  assert(server);
  assert.deepEqual(ids(await listServer(server)), ids(lines));
  // One that could not vote yet, when the others granted them, gets them with their next renewal.
  for (const each of leases.quorum.servers)
    while ((await listServer(each)).length < lines.length) await new Promise((resolve) => setTimeout(resolve, 20));
  await servers[0]?.kill();
  assert.deepEqual(ids(await listAll(leases.quorum)), ids(lines));
  await servers[1]?.kill();
  await assert.rejects(listAll(leases.quorum), { reason: "LOCK_UNAVAILABLE" });
  for (const hold of holds) hold.release();
  await wait;
});

async function untilListed(leases: Leases, count: number) {
  for (;;) {
    const lines = await listAll(leases.quorum);
    if (lines.length === count) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
