import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "./cluster.js";
import { nameIn } from "./content.js";
import { Caller, Ledger } from "./ledger.js";

const ROUNDS = Number(process.env.SAFEFILE_TEST_KILLS ?? 20);
const PRIVATE_WRITERS = 4;
const SHARED_WRITERS = 4;
/** Small ones live in the journal, the large ones as objects. */
const SIZES = [200, 4_096, 30_000, 100_000];

test(`I1/I2/I7: ${ROUNDS} replicas killed at random moments under load lose nothing acknowledged, tear nothing, and the survivor serves on`, {
  timeout: 60_000 + ROUNDS * 15_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2);
  const ledger = new Ledger();
  const done = new AbortController();
  cleanup.defer(() => done.abort());

  const write = async (writer: number, target: string): Promise<void> => {
    const caller = new Caller(() => cluster.clients, writer);
    for (let n = 1; !done.signal.aborted; n++)
      await ledger.write(caller, {
        path: target,
        name: `w${writer}-${n}`,
        sizeBytes: SIZES[n % SIZES.length] as number,
      });
  };
  const paths = [...Array(PRIVATE_WRITERS).keys()].map((writer) => `own/${writer}.dat`);
  const writers = paths.map((target, writer) => write(writer, target));
  for (let writer = 0; writer < SHARED_WRITERS; writer++) writers.push(write(PRIVATE_WRITERS + writer, "shared.dat"));

  let looks = 0;
  const look = async (): Promise<void> => {
    while (!done.signal.aborted) {
      for (const target of [...paths, "shared.dat"]) {
        const content = await readFile(path.join(cluster.volume, target)).catch(missing);
        if (content) nameIn(content);
        else
          assert(
            !ledger.entries.some((entry) => entry.path === target && entry.outcome === "COMMITTED"),
            `${target} is missing`,
          );
        looks += 1;
      }
      await sleep(2);
    }
  };
  const work = Promise.all([...writers, look()]);
  work.catch(() => done.abort());

  for (let round = 0; round < ROUNDS && !done.signal.aborted; round++) {
    await sleep(50 + Math.random() * 350);
    const victim = round % 2;
    await cluster.running[victim]?.replica.kill();
    const before = ledger.committed;
    const deadline = performance.now() + 20_000;
    // The survivor has to acknowledge more, on the contended path and its own, before the victim is back.
    while (ledger.committed < before + 10 && !done.signal.aborted) {
      assert(
        performance.now() < deadline,
        `after kill ${round} the survivor acknowledged ${ledger.committed - before} in 20 s`,
      );
      await sleep(10);
    }
    await cluster.add(victim);
  }
  done.abort();
  await work;
  const client = cluster.clients[0];
  assert(client);
  const { revisions } = await ledger.check(client);
  assert(looks > ROUNDS && ledger.committed > ROUNDS * 10);
  t.diagnostic(
    `${ROUNDS} kills, ${ledger.entries.length} writes, ${ledger.committed} acknowledged, ${revisions} revisions read back, ` +
      `${looks} looks at live files, answers: ${JSON.stringify(Object.fromEntries(ledger.reasons))}`,
  );
});

function missing(error: unknown): undefined {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  return undefined;
}
