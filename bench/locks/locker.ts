import { Redis } from "ioredis";
import Redlock from "redlock";
import { Leases } from "../../services/lock/leases.js";
import { pathTarget } from "../../services/lock/target.js";
import type { FilePath } from "../../services/model/path.js";
import { etcdLocker } from "./etcd.js";

/** Gives back what was acquired; resolves when the caller may go on. */
export type Release = () => unknown;

/** A way to lock a key, as one process has it. */
export interface Locker {
  acquire(key: string, waiter: number, priority: number): Promise<Release>;
}

export const LOCKERS = ["leases", "leases, none kept", "redlock", "redlock, eager", "SET NX", "etcd"] as const;
export type LockerName = (typeof LOCKERS)[number];

/** What a process needs to know to lock. */
export interface Terms {
  readonly name: LockerName;
  /** Of the Redis servers, or of etcd. */
  readonly urls: readonly string[];
  /** So that contenders on the same servers do not hear of each other. */
  readonly volume: string;
  readonly leaseMs: number;
  /** How many may wait at once in this process. */
  readonly waitersMax: number;
}

const NEVER = new AbortController().signal;
const WAIT_MS = 60_000;
/** As in services/config.ts. */
const DEFAULTS = { commandTimeoutMs: 1_000, wakeUpMsMax: 200, leasesKeptMax: 1_000, agingMs: 50 };

export async function lockerOf(terms: Terms): Promise<Locker> {
  const { name, urls, leaseMs } = terms;
  if (name === "leases") return await leases(terms, 500);
  if (name === "leases, none kept") return await leases(terms, 0);
  if (name === "redlock") return redlock(urls, leaseMs, true);
  if (name === "redlock, eager") return redlock(urls, leaseMs, false);
  if (name === "SET NX") return setNx(urls, leaseMs);
  return await etcdLocker(terms);
}

async function leases({ urls, leaseMs, volume }: Terms, leaseKeepMs: number): Promise<Locker> {
  const limits = { ...DEFAULTS, leaseMs, leaseKeepMs };
  const safety = { isNothingGranted: async () => true, restore: async () => undefined };
  const own = new Leases(urls, volume, limits, safety, (error) => console.error(String(error)));
  await own.voting();
  const owner = { party: "", name: "", operation: "bench", traceId: "", spanId: "", isClientLock: false };
  return {
    async acquire(key, _waiter, priority) {
      const targets = [pathTarget(key as FilePath)];
      const request = { targets, path: key, waitMs: WAIT_MS, signal: NEVER, owner: { ...owner, priority } };
      const hold = await own.acquire(request);
      return () => hold.release();
    },
  };
}

/** As its readme says, but waiting as long as it takes, with its own delays of 200 ± 100 ms. */
function redlock(urls: readonly string[], leaseMs: number, waitsForRelease: boolean): Locker {
  const own = new Redlock(
    urls.map((url) => new Redis(url)),
    { retryCount: -1 },
  );
  own.on("error", () => undefined); // each vote that was lost
  return {
    async acquire(key) {
      const lock = await own.acquire([key], leaseMs);
      const release = () => lock.release().catch(() => undefined); // expired meanwhile
      return waitsForRelease ? release : () => void release();
    },
  };
}

const DELETE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** The floor: one server, one key, no waiting. */
function setNx([url = ""]: readonly string[], leaseMs: number): Locker {
  const client = new Redis(url);
  client.defineCommand("unlock", { numberOfKeys: 1, lua: DELETE });
  const { unlock } = client as unknown as { unlock(key: string, value: string): Promise<number> };
  let locks = 0;
  return {
    async acquire(key) {
      const value = `${process.pid}.${++locks}`;
      if ((await client.set(key, value, "PX", leaseMs, "NX")) !== "OK") throw new Error(`${key} is locked`);
      return () => unlock.call(client, key, value);
    },
  };
}
