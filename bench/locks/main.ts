/** `make bench-locks`: leases against redlock, etcd and a bare SET NX, in one interleaved run. */
import { execFileSync } from "node:child_process";
import { loadavg } from "node:os";
import { Redis } from "ioredis";
import { Cleanup } from "../../test/cluster/cleanup.js";
import { startRedis } from "../../test/cluster/redis.js";
import { machine, publish } from "../results.js";
import { Contender } from "./contender.js";
import { startEtcd } from "./etcd.js";
import type { LockerName } from "./locker.js";
import type { Findings } from "./record.js";
import { type Column, type Group, tableOf } from "./report.js";

const ROUNDS = Number(process.env.SAFEFILE_BENCH_ROUNDS ?? 5);
const MS = Number(process.env.SAFEFILE_BENCH_MS ?? 2_000);
const STALL_RUNS = Number(process.env.SAFEFILE_BENCH_STALL_RUNS ?? 100);
/** Empty leaves its rows out. */
const ETCD = process.env.SAFEFILE_BENCH_ETCD ?? "";
const SERVERS = 3;
const LEASE_MS = 10_000;
/** For the runs that look for stalls: as long as one may last, and how long a run may take at most. */
const STALL_LEASE_MS = 2_000;
const STALL_RUN_MS = 6_000;
const STALL_PAIRS = 10;

interface Case {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly waiters: number;
  readonly contenders: readonly Contender[];
  readonly urgentEvery?: number;
  readonly isCounted?: boolean;
}

const cleanup = new Cleanup();
try {
  const servers = async (appendonly: boolean): Promise<string[]> => {
    const started = Array.from({ length: SERVERS }, () => startRedis({ cleanup, appendonly }));
    return (await Promise.all(started)).map(({ url }) => url);
  };
  const [forgetful, durable] = [await servers(false), await servers(true)];
  const control = durable.map((url) => new Redis(url));
  cleanup.defer(() => control.map((client) => client.disconnect()));
  const synced = (when: "everysec" | "always") => () =>
    Promise.all(control.map((client) => client.config("SET", "appendfsync", when)));

  const start = (title: string, name: LockerName, processes = 1, urls = forgetful, leaseMs = LEASE_MS) =>
    Contender.start(cleanup, title, processes, { name, urls, leaseMs, waitersMax: 32 });
  const none = "leases, none kept";
  const asked = await start("leases, each asks 3 Redis", none);
  const redlock = await start("npm redlock, 3 Redis", "redlock");
  const spread = await start("leases, 2 replicas", "leases", 2);
  const together = await start("leases, 1 replica", "leases");
  const terms = { name: none, urls: durable, leaseMs: LEASE_MS, waitersMax: 1 } as const;
  const cases: Case[] = [];
  const etcds: Contender[] = [];
  for (const [flags, title] of ETCD
    ? ([
        [[], "etcd"],
        [["--unsafe-no-fsync"], "etcd without fsync"],
      ] as const)
    : []) {
    const urls = [await startEtcd(cleanup, ETCD, flags)];
    etcds.push(await start(`${title}, 1 member`, "etcd", 2, urls));
  }
  cases.push({
    title: "1 client, 1 key",
    columns: ["acquire", "processor"],
    waiters: 1,
    contenders: [
      asked,
      redlock,
      await start("npm redlock, 3 Redis, release not waited for", "redlock, eager"),
      await start("SET NX and delete, 1 Redis", "SET NX"),
      await Contender.start(cleanup, "leases, 3 Redis, appendfsync everysec", 1, terms, synced("everysec")),
      await Contender.start(cleanup, "leases, 3 Redis, appendfsync always", 1, terms, synced("always")),
      ...etcds.map((etcd) => etcd.of(1)),
    ],
  });
  const columns = ["handOff", "stall", "order"] as const;
  const across = await start("leases, 2 replicas, none kept", none, 2);
  cases.push({
    title: "16 waiters, 1 key",
    columns,
    waiters: 16,
    contenders: [spread, across, together, redlock, ...etcds],
  });
  cases.push({ title: "64 waiters, 1 key, 2 processes", columns, waiters: 64, contenders: [spread, across, ...etcds] });
  const urgent = "64 waiters, every fourth of priority 10";
  cases.push({ title: urgent, columns, waiters: 64, contenders: [spread, across], urgentEvery: 4 });
  cases.push({ title: "held, 1 client", columns: ["processor"], waiters: 1, contenders: [together], isCounted: true });
  cases.push({
    title: "held, 16 waiters",
    columns: ["processor"],
    waiters: 16,
    contenders: [together],
    isCounted: true,
  });

  const groups = cases.map(({ title, columns }): Group => ({ title, columns, rows: new Map<string, Findings[]>() }));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [at, { waiters, contenders, urgentEvery = 0, isCounted = false }] of cases.entries()) {
      const rows = groups[at]?.rows as Map<string, Findings[]>;
      if (round === 0) for (const { title } of contenders) rows.set(title, []);
      // Each round begins with another one, so that none always comes after the same one.
      const first = round % contenders.length;
      for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
        const found = await contender.run(`${at}/${round}`, waiters, MS, { urgentEvery, isCounted });
        // The first round warms up.
        if (round > 0) rows.get(contender.title)?.push(found);
      }
    }
    process.stderr.write(`round ${round} of ${ROUNDS}, load ${loadavg()[0]?.toFixed(1)}\n`);
  }

  const stalls: string[] = [];
  for (const [name, runs] of [
    ["leases", STALL_RUNS],
    ["redlock", Math.ceil(STALL_RUNS / 20)],
  ] as const) {
    const contender = await start(name, name, 2, forgetful, STALL_LEASE_MS);
    let [count, longestMs, overlaps] = [0, 0, 0];
    for (let run = 0; run < runs; run++) {
      const found = await contender.run(`stall/${run}`, 16, STALL_RUN_MS, { pairsMax: STALL_PAIRS });
      longestMs = Math.max(longestMs, found.stallMs);
      overlaps += found.overlaps;
      if (found.stallMs >= 0.9 * STALL_LEASE_MS) count += 1;
    }
    const worst = `the longest ${Math.round(longestMs)} ms, ${overlaps} overlaps`;
    stalls.push(`- ${name}: ${count} of ${runs} runs stalled for a term (${STALL_LEASE_MS} ms) or longer; ${worst}`);
  }

  const versions = [
    `Redis ${/redis_version:(\S+)/.exec(await (control[0] as Redis).info("server"))?.[1]}`,
    "redlock 5.0.0-beta.2",
    ...(ETCD ? [execFileSync(ETCD, ["--version"], { encoding: "utf8" }).split("\n")[0]?.replace(" Version:", "")] : []),
  ];
  await publish(
    [
      "## Locks (`make bench-locks`)",
      "",
      `${machine()}; ${versions.join(", ")}. ${ROUNDS} rounds of ${MS} ms,`,
      `load average ${loadavg()[0]?.toFixed(1)}. A pair is an acquire and a release; who holds a lock under contention does so`,
      "for a turn of the event loop. Redis without append-only file unless the row says otherwise; etcd writes and fsyncs",
      "each change unless it says otherwise, through its lock service, with a lease for each waiter granted beforehand.",
      "Leases answer a release before the servers do; redlock and etcd are waited for. redlock has retryCount -1 and its",
      "own delays. Medians over the rounds (least–most); ratios are of the same round; the stall is the longest of all rounds.",
      "",
      ...groups.map((group) => tableOf(group, MS)),
      `16 waiters in 2 processes that make ${STALL_PAIRS} pairs each, one run after the other:`,
      "",
      ...stalls,
      "",
    ].join("\n"),
  );
} finally {
  await cleanup.end();
}
