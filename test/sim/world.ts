import assert from "node:assert/strict";
import { type Config, schema } from "../../services/config.js";
import { isOperationId, isRepair, type OperationId } from "../../services/model/operation.js";
import type { ProcessIdentity } from "../../services/volume/process.js";
import type { DurabilityError } from "../../services/volume/volume.js";
import { randomFrom } from "../protocol/scheduler.js";
import { FakeDisk, type Flavour, failure, type LiveChange } from "./fake-disk.js";
import { FakeRedis } from "./fake-redis.js";
import { FakeVolume, type Meddling } from "./fake-volume.js";
import { FileInode } from "./inode.js";
import { Ledger } from "./ledger.js";
import { type Happening, Mishaps } from "./mishaps.js";
import { PATHS } from "./paths.js";
import { Replica } from "./replica.js";
import { Scheduler } from "./scheduler.js";

const STEPS_MAX = 30_000;
const TRACE_KEPT = 60;

/** Everything as in production, only smaller: contents that are not inline, segments that end, silence that is short. */
const CONFIG: Config = {
  ...schema.parse({}),
  inlineBytesMax: 400,
  segmentBytesMax: 6 * 1024,
  journalGrowBytes: 2048,
  journalReserveBytes: 1024,
  recordBytesMax: 16 * 1024,
  headsCachedMax: 64,
  leaseMs: 1500,
  wakeUpMsMax: 100,
  lockWaitMs: 2000,
  heartbeatMs: 700,
  incarnationDeadMs: 2500,
  baseSettleMs: 100,
};

export class Violation extends Error {}

/** Replicas over one disk and one Redis, and everything that goes wrong around them. */
export class World {
  readonly random: () => number;
  readonly scheduler: Scheduler;
  readonly ledger = new Ledger();
  readonly redis: FakeRedis;
  readonly kind: "local" | "network";
  readonly flavour: Flavour;
  readonly happened = new Map<string, number>();
  readonly slots: (Replica | undefined)[] = [];
  disk: FakeDisk;
  /** Nothing goes wrong any more, and nobody has to wait for a turn. */
  isCalm = false;
  isQuick = false;
  failure: unknown;
  readonly mishaps: Mishaps;
  private readonly sharesNamespace: boolean;
  private readonly dead = new Set<number>();
  private readonly trace: string[] = [];
  private hash = 2166136261;
  /** How often the power came. */
  boots = 1;
  private pids = 0;
  isRedisAway = false;
  private epochs = new Map<string, number>();

  constructor(
    readonly seed: number,
    flavour?: Flavour,
  ) {
    this.random = randomFrom(seed);
    this.scheduler = new Scheduler(this.random);
    this.kind = this.chance(0.8) ? "local" : "network";
    this.flavour = flavour ?? "ordered";
    this.sharesNamespace = this.chance(0.7);
    this.redis = new FakeRedis(() => this.scheduler.nowMs);
    this.disk = new FakeDisk(this.flavour, () => this.scheduler.nowMs);
    this.mishaps = new Mishaps(this);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)] as T;
  }

  count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  happen(what: Happening): void {
    this.count(what);
    this.note(`*** ${what}`);
  }

  note(what: string): void {
    for (let at = 0; at < what.length; at++) this.hash = Math.imul(this.hash ^ what.charCodeAt(at), 16777619);
    if (process.env.SAFEFILE_SIM_VERBOSE) process.stderr.write(`${this.scheduler.steps} ${what}\n`);
    this.trace.push(`${this.scheduler.steps} ${what}`);
    if (this.trace.length > 2 * TRACE_KEPT) this.trace.splice(0, TRACE_KEPT);
  }

  /** Says whether two runs were the same. */
  get traceHash(): number {
    return this.hash >>> 0;
  }

  get lastSteps(): string {
    return this.trace.slice(-TRACE_KEPT).join("\n");
  }

  /** A timer of the world itself, whoever's step it follows from. */
  later(ms: number, task: () => void): void {
    this.scheduler.current.exit(() => setTimeout(task, ms));
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  /** Who serves at present. */
  get serving(): Replica[] {
    return this.slots.filter((each): each is Replica => each?.isServing === true && each.isAlive);
  }

  get alive(): Replica[] {
    return this.slots.filter((each): each is Replica => each?.isAlive === true);
  }

  // ------------------------------------------------------------------------------------------ replicas

  start(slot: number): Replica {
    this.pids += 1;
    const pid = this.pids;
    const actor = this.scheduler.actor(`r${pid}`);
    const bootId = this.kind === "local" ? `boot-${this.boots}` : `boot-${this.boots}-${slot}`;
    const identity: ProcessIdentity = {
      host: this.kind === "local" ? "host" : `host-${slot}`,
      bootId,
      pidNamespace: this.sharesNamespace ? "namespace" : `namespace-${slot}`,
      pid,
      startTicks: String(pid),
    };
    let replica: Replica | undefined;
    const leave = (reason: string): void => {
      this.note(`${actor.name} leaves: ${reason}`);
      this.count("incarnation left");
      if (replica) this.kill(replica);
    };
    const meddling: Meddling = {
      turn: async (call, name) => {
        if (!this.isQuick) await actor.turn();
        this.note(`${actor.name} ${call} ${name}`);
        if ((call === "read" || call === "open") && this.mishaps.strikes("read", "read failed"))
          throw failure("EIO", `${call} ${name}`);
      },
      failsFlush: (name) => this.mishaps.strikes("sync", "flush failed", name.startsWith("journal") ? 0.3 : 1),
      // The protocol allows for renames and links; a server remembers its answers to the rest for a while.
      losesReply: (call) => (call === "rename" || call === "link") && this.mishaps.strikes("reply", "reply lost"),
      onDurabilityError: (error: DurabilityError) => leave(String(error.cause)),
    };
    const redisTurn = async (command: string): Promise<void> => {
      if (!this.isQuick) await actor.turn();
      this.note(`${actor.name} redis ${command}`);
      if (this.isRedisAway) throw new Error("Connection is closed.");
    };
    replica = new Replica(slot, {
      actor,
      volume: new FakeVolume(this.disk, this.kind, bootId, meddling),
      redis: this.redis,
      redisMeddling: {
        turn: redisTurn,
        answer: () => {
          if (this.mishaps.strikes("lostAnswer", "answer of Redis lost")) throw new Error("Command timed out");
        },
        deliver: (message) => {
          if (actor.state !== "dead") actor.run(() => setTimeout(message, 0));
        },
        fatal: (error) => this.fail(error),
      },
      config: CONFIG,
      identity,
      isProvenDead: (other) =>
        other.bootId === bootId && other.pidNamespace === identity.pidNamespace && this.dead.has(other.pid),
      leave,
      warn: (what, error) => {
        this.count(`warned: ${what.replace(/ [0-9A-Z]{26}/, "")}`);
        this.note(`${actor.name} warns: ${what}: ${String(error)}`);
      },
    });
    this.slots[slot] = replica;
    this.note(`${actor.name} starts in slot ${slot}`);
    const started = replica;
    started.start().then(
      () => {
        this.note(`${actor.name} serves`);
        if (started.replayed) this.count("replayed after a cut");
      },
      (error: unknown) => {
        this.note(`${actor.name} does not start: ${String(error)}`);
        this.count("start failed");
        this.kill(started);
      },
    );
    return started;
  }

  /** Ends a process between two of its calls, and starts another in its place some time later. */
  kill(replica: Replica): void {
    if (!replica.isAlive) return;
    this.note(`${replica.ground.actor.name} is dead`);
    this.dead.add(replica.ground.identity.pid);
    this.scheduler.end(replica.ground.actor);
    replica.kill();
    const { boots } = this;
    if (!this.isCalm)
      this.later(1 + this.random() * 1500, () => {
        if (boots === this.boots && !this.isCalm && this.slots[replica.slot] === replica) this.start(replica.slot);
      });
  }

  // ------------------------------------------------------------------------------------------ what is seen

  /** Looks at every change of a live name, and at every baton. */
  watch(): void {
    this.disk.onLiveChange = (change) => {
      try {
        this.check(change);
      } catch (error) {
        this.fail(error);
      }
    };
    this.disk.onBaton = (name) => {
      const [hash = "", epoch = ""] = name.split(".");
      if (!/^\d+$/.test(epoch)) return;
      const before = this.epochs.get(hash) ?? 0;
      // A baton of which no record was made may go back in a cut; what it was is not known to anybody then.
      if (Number(epoch) < before && this.boots === 1)
        this.fail(new Violation(`the epoch of a baton went from ${before} to ${epoch}`));
      this.epochs.set(hash, Number(epoch));
    };
  }

  private check({ path, after, source }: LiveChange): void {
    if (!PATHS.includes(path as (typeof PATHS)[number])) return;
    if (!after) {
      const isAllowed = this.ledger.wasDeleted(path);
      assert(isAllowed, `I2: ${path} went away, and nobody deleted it`);
      return;
    }
    assert(after instanceof FileInode, `I2: ${path} became a directory`);
    const content = after.content.toString();
    this.note(`live ${path} is ${content.slice(0, 20)} from ${source}`);
    assert(this.ledger.isWhole(path, content), `I2: ${path} holds what nobody asked for: ${content.slice(0, 60)}`);
    const operation = (source ?? "").split("/").find(isOperationId);
    if (operation && !isRepair(operation as OperationId)) this.ledger.publish(path, operation);
    else if (operation) this.ledger.touched.delete(path);
  }

  live(path: string): string | undefined {
    const parts = path.split("/");
    const name = parts.pop() as string;
    try {
      const inode = this.disk.find({ directory: this.disk.walk(this.disk.root, parts), name });
      return inode instanceof FileInode ? inode.content.toString() : undefined;
    } catch {
      return undefined;
    }
  }

  // ------------------------------------------------------------------------------------------ going on

  /** Takes steps until `isDone`. */
  async until(what: string, isDone: () => boolean): Promise<void> {
    await this.scheduler.settle();
    while (!isDone()) {
      if (this.failure) throw this.failure;
      if (this.scheduler.steps > STEPS_MAX) throw new Violation(`${what} does not come to an end`);
      this.mishaps.disturb();
      if (!(await this.scheduler.step()) && !isDone()) throw new Violation(`nobody can go on: ${what}`);
    }
    if (this.failure) throw this.failure;
  }

  async settled<T>(what: string, work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = (): void => {
      isDone = true;
    };
    work.then(end, end);
    await this.until(what, () => isDone);
    return await work;
  }

  /** Nobody does anything any more. */
  stop(): void {
    this.isCalm = true;
    this.isQuick = false;
    for (const replica of this.slots) if (replica) this.kill(replica);
  }

  /** No more mishaps; those who are paused wake up. */
  calm(): void {
    this.isCalm = true;
    this.isRedisAway = false;
    this.disk.isFull = false;
    for (const { ground } of this.alive) if (ground.actor.state === "paused") ground.actor.state = "running";
  }
}
