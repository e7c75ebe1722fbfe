import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type LeaseHold, type LeaseLimits, Leases } from "../../services/lock/leases.js";
import { type Line, type LockServer, parseLine, type Safety } from "../../services/lock/server.js";
import { conflict, type Target } from "../../services/lock/target.js";
import type { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";

export const LIMITS: LeaseLimits = {
  leaseMs: 6000,
  commandTimeoutMs: 2000,
  wakeUpMsMax: 100,
  leaseKeepMs: 100,
  leasesKeptMax: 100,
  agingMs: 50,
};

export const start = (cleanup: Cleanup, count: number): Promise<Redis[]> =>
  Promise.all(Array.from({ length: count }, () => startRedis({ cleanup })));

/** Several instances of Leases on the same servers, as in several replicas. */
export class Replicas {
  readonly volume: string = randomUUID();
  readonly all: Leases[] = [];
  readonly errors: Error[] = [];
  /** What they believe of each other: at the beginning nothing can be out. */
  readonly safety = { isNothingGranted: true };

  constructor(
    private readonly cleanup: Cleanup,
    private readonly urls: readonly string[],
    private readonly limits: LeaseLimits,
  ) {}

  static async start(cleanup: Cleanup, servers: readonly Redis[], count: number, limits: Partial<LeaseLimits> = {}) {
    const urls = servers.map(({ url }) => url);
    const replicas = new Replicas(cleanup, urls, { ...LIMITS, ...limits });
    await Promise.all(Array.from({ length: count }, () => replicas.add()));
    replicas.safety.isNothingGranted = false;
    return replicas;
  }

  async add(more: Partial<Safety> = {}): Promise<Leases> {
    const safety: Safety = {
      isNothingGranted: async () => this.safety.isNothingGranted,
      restore: async () => undefined,
      ...more,
    };
    const leases = new Leases(this.urls, this.volume, this.limits, safety, (error) => this.errors.push(error));
    this.all.push(leases);
    this.cleanup.defer(() => leases.close());
    await until(() => leases.quorum.servers.every(({ isVoting }) => isVoting));
    return leases;
  }

  /** What each server has in its book. */
  async books(): Promise<Line[][]> {
    return Promise.all((this.all[0] as Leases).quorum.servers.map(linesOf));
  }

  /** Resolves once nobody holds and nobody waits, anywhere. */
  async empty(): Promise<void> {
    await Promise.all(this.all.map((leases) => leases.settled(AbortSignal.timeout(20_000))));
    await until(async () => (await this.books()).every((lines) => lines.length === 0));
  }

  /** Resolves once `count` wait at each server. */
  async waiting(count: number): Promise<void> {
    await until(async () =>
      (await this.books()).every((lines) => lines.filter(({ state }) => state === "waiting").length >= count),
    );
  }
}

export async function linesOf(server: LockServer): Promise<Line[]> {
  const [, , , lines] = await server.ask("list", "-", 100_000);
  return (lines as [string, string, number][]).flatMap(([id, text, leftMs]) => parseLine(id, text, leftMs) ?? []);
}

const UNTIL_MS = 60_000;

/** Looks until it is so. What never becomes so fails the test. */
export async function until(isSo: () => boolean | Promise<boolean>, msMax = UNTIL_MS): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it did not become so in ${msMax} ms: ${isSo}`);
    await sleep(2);
  }
}

interface Seen {
  readonly targets: readonly Target[];
  readonly hold: LeaseHold | undefined;
}

const isValid = ({ hold }: Seen): boolean => {
  try {
    hold?.assertHeld();
    return true;
  } catch {
    return false; // it may not have been told yet
  }
};

/** Sees everybody who holds, and that no two of them conflict. */
export class Observer {
  private readonly holding = new Set<Seen>();
  private readonly grantedMs = new Map<string, number>();
  readonly conflicts: string[] = [];
  grants = 0;
  /** The longest time for which nobody got a path, of those that somebody always wants. */
  gapMs = 0;

  /** Returns what ends it. A lease that is lost has ended, whether its holder knows or not. */
  enter(targets: readonly Target[], hold?: LeaseHold): () => void {
    for (const other of this.holding)
      for (const target of targets)
        if (other.targets.some((theirs) => conflict(theirs, target)) && isValid(other))
          this.conflicts.push(`${JSON.stringify(targets)} while ${JSON.stringify(other.targets)}`);
    const entry = { targets, hold };
    this.holding.add(entry);
    this.grants += 1;
    for (const { path } of targets) this.look(path);
    return () => void this.holding.delete(entry);
  }

  private look(path: string): void {
    const nowMs = performance.now();
    this.gapMs = Math.max(this.gapMs, nowMs - (this.grantedMs.get(path) ?? nowMs));
    this.grantedMs.set(path, nowMs);
  }

  /** What nobody has got for long counts too. */
  end(): void {
    for (const path of this.grantedMs.keys()) this.look(path);
  }
}
