/** `make bench`: durable 4 KiB overwrites, ours against what people write by hand and against a bare echo, in one run. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SafefileClient } from "@safefile/client";
import { Cleanup } from "../test/cluster/cleanup.js";
import { startRedis } from "../test/cluster/redis.js";
import { startReplica } from "../test/cluster/replica.js";
import { type Contender, median, rate } from "./contender.js";
import { echo } from "./echo.js";
import { handLoop } from "./hand-loop.js";
import { machine, publish } from "./results.js";

const ROUNDS = Number(process.env.SAFEFILE_BENCH_ROUNDS ?? 5);
const MS = Number(process.env.SAFEFILE_BENCH_MS ?? 2_000);
const CONCURRENCIES = [1, 16, 64];
const BYTES = Buffer.alloc(4096, "safefile");

async function safefile(cleanup: Cleanup, directory: string): Promise<Contender> {
  const redis = await startRedis({ cleanup, appendonly: true });
  const replica = await startReplica({
    cleanup,
    volume: directory,
    redis: [redis.url],
    env: { SAFEFILE_LOG_LEVEL: "info" },
  });
  const client = new SafefileClient({ address: replica.address });
  cleanup.defer(() => client.close());
  return {
    name: "WriteFile",
    write: async (file, bytes) => void (await client.write(file, bytes)),
    async end() {},
  };
}

const cleanup = new Cleanup();
const base = await mkdtemp(path.join(process.env.SAFEFILE_BENCH_DIR ?? tmpdir(), "safefile-bench-"));
cleanup.defer(() => rm(base, { recursive: true, force: true }));
try {
  const [hand, ours] = [path.join(base, "hand"), path.join(base, "volume")];
  for (const directory of [hand, ours]) await mkdir(directory);
  const contenders = [await handLoop(hand), await safefile(cleanup, ours), await echo()];
  const rates = new Map<string, number[]>();
  const keyOf = (contender: Contender, concurrency: number) => `${contender.name} ${concurrency}`;
  for (let round = 0; round <= ROUNDS; round++) {
    for (const concurrency of CONCURRENCIES) {
      for (const contender of contenders) {
        const found = await rate(contender, concurrency, MS, BYTES);
        // The first round warms up.
        if (round > 0)
          rates.set(keyOf(contender, concurrency), [...(rates.get(keyOf(contender, concurrency)) ?? []), found]);
      }
    }
    process.stderr.write(`round ${round} of ${ROUNDS}\n`);
  }
  for (const contender of contenders) await contender.end();
  const row = (contender: Contender): string => {
    const cells = CONCURRENCIES.map((concurrency) => {
      const mine = rates.get(keyOf(contender, concurrency)) ?? [];
      const theirs = rates.get(keyOf(contenders[0] as Contender, concurrency)) ?? [];
      const ratios = mine.map((value, at) => value / (theirs[at] ?? Number.NaN));
      const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
      return `${Math.round(median(mine))} (${median(ratios).toFixed(2)} ×, ${spread})`;
    });
    return `| ${contender.name} | ${cells.join(" | ")} |`;
  };
  const report = [
    "## Durable overwrites (`make bench`)",
    "",
    "Durable 4 KiB overwrites, operations a second: median over interleaved rounds, then the ratio to the hand loop of the",
    "same round (median, least–most). Load generator, replica and Redis (append-only, fsync) share the processors.",
    "",
    `${machine()},`,
    `${ROUNDS} rounds of ${MS} ms, directory ${process.env.SAFEFILE_BENCH_WHERE ?? "of the system"}.`,
    "",
    `| concurrency | ${CONCURRENCIES.join(" | ")} |`,
    `|---|${CONCURRENCIES.map(() => "---|").join("")}`,
    ...contenders.map(row),
    "",
  ].join("\n");
  await publish(report);
} finally {
  await cleanup.end();
}
