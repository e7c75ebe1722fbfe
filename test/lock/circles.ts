import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { LockDeadlockError, LockTimeoutError } from "../../services/errors/index.js";
import { Deadlocks } from "../../services/lock/deadlocks.js";
import type { Entry } from "../../services/lock/entry.js";
import type { Circle } from "../../services/lock/graph.js";
import { Leases } from "../../services/lock/leases.js";
import { BOOK } from "../../services/lock/script.js";
import { conflict, type Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { randomFrom } from "../protocol/scheduler.js";
import { FakeRedis, FakeRedisClient } from "../sim/fake-redis.js";
import { Scheduler } from "../sim/scheduler.js";
import type { Listed } from "./table.js";
import { reach, stuck, type Wait, waitsOf } from "./truth.js";
import { wish } from "./wish.js";

const VOLUME = "circles";
const BOOK_SHA1 = createHash("sha1").update(BOOK).digest("hex");
const LIMITS = {
  leaseMs: 10_000,
  commandTimeoutMs: 1_000,
  wakeUpMsMax: 400,
  leaseKeepMs: 100,
  leasesKeptMax: 100,
  agingMs: 50,
  deadlockAfterMs: 300,
  deadlockConfirmMs: 100,
};
const LOOK_MS = 500;
const SAMPLE_MS = 20;
const LOOKS_MS = 2_000;
/** No circle may be there for longer without anybody giving way; connections stall for up to HICCUP_MS here. */
const STUCK_MS_MAX = 4_000;
const HICCUP_MS = 300;
/** As long as word that a wait has ended may be on its way: it stalls, behind others that stall. */
const AGO_MS_MAX = 2 * HICCUP_MS;
const STEPS_MAX = 60_000;
const PATHS = ["a", "b", "c", "d", "d/x"];

export interface Ran {
  readonly seed: number;
  readonly steps: number;
  readonly victims: number;
  /** Circles that ended by themselves, by a timeout or a caller who left, while the look that found them was under way. */
  readonly raced: number;
  /** How long before that they had ended, at most. */
  readonly agoMs: number;
  readonly operations: number;
  readonly timeouts: number;
  /** From the moment that each circle closed until somebody gave way. */
  readonly foundMs: readonly number[];
  readonly violation: string | undefined;
}

/** One way of a connection: in order, however late. */
class Way {
  private freeMs = 0;

  constructor(
    private readonly random: () => number,
    private readonly usualMs: number,
  ) {}

  pass(): Promise<void> {
    const nowMs = performance.now();
    const isStalled = this.random() < 0.01;
    const lagMs = isStalled ? this.random() * HICCUP_MS : this.random() * this.usualMs;
    this.freeMs = Math.max(this.freeMs, nowMs + lagMs);
    return new Promise((resolve) => setTimeout(resolve, this.freeMs - nowMs));
  }
}

/** Parties over several replicas and lock servers whose answers come late, and somebody who sees everything. */
class World {
  private readonly servers: readonly FakeRedis[];
  private readonly replicas: Leases[] = [];
  private readonly stop = new AbortController();
  /** What is held, from the grant until the holder says that it is done. */
  private readonly held = new Map<LeaseId, Entry>();
  private readonly sinceMs = new Map<LeaseId, number>();
  private readonly stuckMs = new Map<LeaseId, number>();
  readonly foundMs: number[] = [];
  /** What was seen lately. */
  private readonly looks: { atMs: number; waits: readonly Wait[] }[] = [];
  agoMs = 0;
  victims = 0;
  raced = 0;
  timeouts = 0;
  operations = 0;
  failure: unknown;
  private requests = 0;

  constructor(
    private readonly random: () => number,
    private readonly scheduler: Scheduler,
  ) {
    const count = this.pick([1, 3, 3, 3, 5]);
    this.servers = Array.from({ length: count }, () => {
      const skewMs = (this.random() - 0.5) * 400;
      return new FakeRedis(() => this.scheduler.nowMs + skewMs);
    });
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)] as T;
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  private connect(url: string): Redis {
    const server = this.servers[Number(url.slice(-1))] as FakeRedis;
    const usualMs = this.pick([1, 3, 3, 10, 40]);
    const [there, back] = [new Way(this.random, usualMs), new Way(this.random, usualMs)];
    const client = FakeRedisClient.connect(server, {
      turn: () => there.pass(),
      answer: () => undefined,
      deliver: (message) => {
        if (this.random() > 0.03) setTimeout(message, this.random() * usualMs);
      },
      fatal: (error) => this.fail(error),
    });
    const ask = client.evalsha.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const late = async (...args: unknown[]): Promise<unknown> => {
      const answer = await ask(...args);
      await back.pass();
      return answer;
    };
    return Object.assign(client, { evalsha: late });
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  async live(): Promise<void> {
    const urls = this.servers.map((_, at) => `redis://fake-${at}`);
    const safety = { isNothingGranted: async () => true, restore: async () => undefined };
    for (let count = this.pick([2, 2, 3, 4]); count > 0; count--)
      this.replicas.push(
        new Leases(
          urls,
          VOLUME,
          LIMITS,
          safety,
          (error) => this.fail(error),
          (to) => this.connect(to),
        ),
      );
    await Promise.all(this.replicas.map((leases) => leases.voting()));
    for (const leases of this.replicas) void this.lookOut(leases).catch((error: unknown) => this.fail(error));
    void this.watch().catch((error: unknown) => this.fail(error));
    const parties = Array.from({ length: 2 + Math.floor(this.random() * 5) }, (_, at) => this.party(`P${at}`));
    const operations = Array.from({ length: Math.floor(this.random() * 4) }, () => this.operation());
    await Promise.all([...parties, ...operations]);
    this.stop.abort();
  }

  private async lookOut(leases: Leases): Promise<void> {
    const deadlocks = new Deadlocks(leases, LIMITS, (circle) => this.judge(circle));
    await this.sleep(this.random() * LOOK_MS);
    while (!this.stop.signal.aborted) {
      await deadlocks.look(this.stop.signal);
      await this.sleep(LOOK_MS);
    }
  }

  // ------------------------------------------------------------------------------------------ what really is

  private isGranted(id: LeaseId): boolean {
    const found = this.servers.filter((server) => {
      const [, , text] = server.script(BOOK_SHA1, 1, ["", "look", id]) as [number, number, string];
      return text.startsWith("h");
    });
    return found.length > this.servers.length / 2;
  }

  /** Whoever was granted something has it, until it says itself that it is done: servers hear of that late. */
  private lines(): Listed[] {
    const waiting = this.replicas
      .flatMap((leases) => [...leases.waiting()])
      .map(({ entry }): Listed => ({ entry, state: this.isGranted(entry.id) ? "holding" : "waiting" }));
    return [...waiting, ...[...this.held.values()].map((entry): Listed => ({ entry, state: "holding" }))];
  }

  private told(lines: readonly Listed[]): string {
    return lines
      .map(({ state, entry: { id, rank, owner, targets } }) => {
        const wanted = targets.map(({ mode, scope, path }) => `${mode} ${scope} ${path}`).join(", ");
        return `${owner.party || "nobody"} ${state} ${id} of rank ${rank}: ${wanted}`;
      })
      .join("\n  ");
  }

  private look(): readonly Wait[] {
    const waits = stuck(waitsOf(this.lines()));
    const atMs = performance.now();
    this.looks.push({ atMs, waits });
    while ((this.looks[0]?.atMs ?? atMs) < atMs - LOOKS_MS) this.looks.shift();
    return waits;
  }

  /**
   * Called just before somebody has to give way: just that circle must really be there. Or it must have been until a
   * moment ago, when somebody else in it gave up and word of that is still on its way to the servers.
   */
  private judge({ parties, waits, victim }: Circle): void {
    const nowMs = performance.now();
    const now = this.look();
    const isThere = ({ waits: real }: { waits: readonly Wait[] }): boolean =>
      waits.every(({ entry, holder }) => real.some((wait) => wait.entry === entry && wait.to === holder));
    const last = this.looks.findLast(isThere);
    const agoMs = last ? nowMs - last.atMs : Number.POSITIVE_INFINITY;
    if (agoMs > AGO_MS_MAX)
      this.fail(
        new Error(
          `${victim} gives way, and there is no circle, but ${agoMs} ms ago: ${JSON.stringify({ parties, waits })}\nthere are ${this.told(this.lines())}`,
        ),
      );
    if (agoMs > 0) this.raced += 1;
    this.agoMs = Math.max(this.agoMs, agoMs);
    this.foundMs.push(nowMs - Math.max(...waits.map(({ entry }) => this.sinceMs.get(entry) ?? nowMs)));
    // Those in other circles still have to see somebody give way.
    const around = reach(now, victim);
    for (const { entry, from } of now) if (around.has(from)) this.stuckMs.set(entry, nowMs);
  }

  /** Sees circles come, and that none stays. */
  private async watch(): Promise<void> {
    while (!this.stop.signal.aborted) {
      await this.sleep(SAMPLE_MS);
      const nowMs = performance.now();
      const now = new Set(this.look().map(({ entry }) => entry));
      for (const id of this.sinceMs.keys()) {
        if (now.has(id)) continue;
        this.sinceMs.delete(id);
        this.stuckMs.delete(id);
      }
      for (const id of now) {
        if (!this.sinceMs.has(id)) this.sinceMs.set(id, nowMs);
        if (!this.stuckMs.has(id)) this.stuckMs.set(id, nowMs);
        const forMs = nowMs - (this.stuckMs.get(id) as number);
        assert(forMs < STUCK_MS_MAX, `${id} is in a circle for ${forMs} ms, and nobody gives way`);
      }
    }
  }

  // ------------------------------------------------------------------------------------------ who wants what

  private target(): Target {
    const chance = this.random();
    return {
      path: this.pick(PATHS) as Target["path"],
      scope: chance < 0.2 ? "subtree" : "path",
      mode: chance > 0.8 ? "shared" : "exclusive",
    };
  }

  /** None of them in the way of another one. */
  private targets(count: number): Target[] {
    const targets: Target[] = [];
    for (let tries = 0; tries < count; tries++) {
      const target = this.target();
      if (!targets.some((other) => conflict(other, target) || other.path === target.path)) targets.push(target);
    }
    return targets;
  }

  private async acquire(leases: Leases, targets: readonly Target[], party: string): Promise<() => void> {
    const impatient = this.random() < 0.15;
    const caller = new AbortController();
    if (this.random() < 0.04) setTimeout(() => caller.abort(new Error("the caller is gone")), this.random() * 1500);
    const waitMs = impatient ? Math.floor(this.random() * 1500) : 300_000;
    this.requests += 1;
    const name = `r${this.requests}`;
    const asked = leases.acquire(
      wish(targets, { party, priority: this.pick([0, 0, 0, -5, 3]), waitMs, signal: caller.signal }),
    );
    // It is among those who wait from the call on: this is it.
    const own = [...leases.waiting()].at(-1)?.entry as Entry;
    assert(own, name);
    const hold = await asked;
    const entry = { ...own, id: hold.id };
    this.held.set(hold.id, entry);
    return () => {
      this.held.delete(hold.id);
      hold.release();
    };
  }

  /** Whether the wait ended as waits may end. */
  private note(error: unknown): void {
    if (error instanceof LockDeadlockError) this.victims += 1;
    else if (error instanceof LockTimeoutError) this.timeouts += 1;
    else if (!(error instanceof Error && error.message === "the caller is gone")) this.fail(error);
  }

  /** Takes one thing after the other, sometimes two at once, and gives all back. */
  private async party(party: string): Promise<void> {
    const home = this.pick(this.replicas);
    const roams = this.random() < 0.3;
    for (let rounds = 1 + Math.floor(this.random() * 2); rounds > 0; rounds--) {
      const held: { leases: Leases; release: () => void }[] = [];
      const take = async (target: Target): Promise<void> => {
        const leases = roams ? this.pick(this.replicas) : home;
        held.push({ leases, release: await this.acquire(leases, [target], party) });
      };
      try {
        const [first, ...others] = this.targets(2 + Math.floor(this.random() * 2));
        await take(first as Target);
        await this.sleep(this.random() * 60);
        if (others.length > 1 && this.random() < 0.3) {
          const results = await Promise.allSettled(others.map(take));
          for (const result of results) if (result.status === "rejected") throw result.reason;
        } else
          for (const target of others) {
            await take(target);
            await this.sleep(this.random() * 60);
          }
      } catch (error) {
        this.note(error);
      }
      for (const { release } of held) release();
      // Through another replica only when the servers have heard of it: what is asked there may come before.
      const isHeard = (): boolean => this.replicas.every((leases) => !isReleasing(leases));
      while (roams && !isHeard()) await this.sleep(20);
      await this.sleep(this.random() * 40);
    }
  }

  /** Takes several paths at once, without a party. */
  private async operation(): Promise<void> {
    const leases = this.pick(this.replicas);
    await this.sleep(this.random() * 300);
    this.operations += 1;
    try {
      const release = await this.acquire(leases, this.targets(1 + Math.floor(this.random() * 3)), "");
      await this.sleep(this.random() * 60);
      release();
    } catch (error) {
      this.note(error);
    }
  }
}

const isReleasing = (leases: Leases): boolean => (leases as unknown as { releasing: number }).releasing > 0;

/** One seed, one run. */
export async function runCircles(seed: number): Promise<Ran> {
  const random = randomFrom(seed);
  const scheduler = new Scheduler(random);
  const restore = scheduler.install();
  const world = new World(random, scheduler);
  try {
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    world.live().then(end, (error: unknown) => world.fail(error));
    await scheduler.settle();
    while (!isDone && world.failure === undefined) {
      if (scheduler.steps > STEPS_MAX) throw new Error("it does not come to an end");
      if (!(await scheduler.step())) throw new Error("nobody can go on");
    }
  } catch (error) {
    world.fail(error);
  } finally {
    restore();
  }
  const { failure, victims, raced, agoMs, operations, timeouts, foundMs } = world;
  const violation = failure instanceof Error ? failure.stack : failure === undefined ? undefined : String(failure);
  return { seed, steps: scheduler.steps, victims, raced, agoMs, operations, timeouts, foundMs, violation };
}
