import { AsyncLocalStorage } from "node:async_hooks";
import { drawFrom } from "./randomness.js";

type Task = () => void;

interface Timer {
  readonly id: number;
  atMs: number;
  readonly actor: Actor | undefined;
  readonly task: Task;
  readonly everyMs: number | undefined;
  unref(): Timer;
  ref(): Timer;
  hasRef(): boolean;
  [Symbol.toPrimitive](): number;
}

/** A process of the simulation: what it asked for goes on only when the scheduler says so. */
export class Actor {
  readonly ready: Task[] = [];
  state: "running" | "paused" | "dead" = "running";

  constructor(
    readonly name: string,
    private readonly scheduler: Scheduler,
  ) {}

  /** Runs `work` as this process: its timers are this one's, and end with it. */
  run<T>(work: () => T): T {
    return this.scheduler.current.run(this, work);
  }

  /** Waits until it is this process's turn; for ever once it was killed. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.ready.push(resolve));
  }

  kill(): void {
    this.state = "dead";
    this.ready.length = 0;
  }
}

const realImmediate = setImmediate;
const realGlobals = {
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  setImmediate,
};
const realDateNow = Date.now;
const realRandom = Math.random;
const realAllocate = Buffer.allocUnsafe;
/** More than any file of a simulation: windows for reading journals are that large, not megabytes for a few records. */
const BUFFER_BYTES_MAX = 32 * 1024;

/** A point in time that says nothing: 2026-01-01. */
const START_MS = 1_767_225_600_000;

/**
 * Lets several processes in this one go on a step at a time, in an order drawn from a seed. Time is the scheduler's
 * own: it moves a little with each step, and to the next timer when nobody can do anything else.
 */
export class Scheduler {
  readonly current = new AsyncLocalStorage<Actor>();
  private readonly actors = new Set<Actor>();
  private timers: Timer[] = [];
  private lastTimer = 0;
  private elapsedMs = 0;
  steps = 0;

  constructor(private readonly random: () => number) {}

  get nowMs(): number {
    return START_MS + this.elapsedMs;
  }

  actor(name: string): Actor {
    const actor = new Actor(name, this);
    this.actors.add(actor);
    return actor;
  }

  end(actor: Actor): void {
    actor.kill();
    this.actors.delete(actor);
    this.timers = this.timers.filter((timer) => timer.actor !== actor);
  }

  /** Puts this scheduler's time, timers and randomness in place of the real ones. Returns what undoes it. */
  install(): () => void {
    const later =
      (everyMs: boolean) =>
      (task: Task, ms = 0, ...args: unknown[]) =>
        this.add(() => Reflect.apply(task, undefined, args), Math.max(1, ms || 0), everyMs);
    const remove = (timer: Timer | undefined): void => {
      if (timer) this.timers = this.timers.filter((each) => each !== timer);
    };
    Object.assign(globalThis, {
      setTimeout: later(false),
      setInterval: later(true),
      clearTimeout: remove,
      clearInterval: remove,
      setImmediate: (task: Task) => this.add(task, 0, false),
    });
    const fill = <T extends ArrayBufferView>(view: T): T => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
      for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(this.random() * 256);
      return view;
    };
    Date.now = () => Math.floor(this.nowMs);
    Math.random = this.random;
    Buffer.allocUnsafe = (sizeBytes) => realAllocate(Math.min(sizeBytes, BUFFER_BYTES_MAX));
    drawFrom(this.random);
    performance.now = () => this.elapsedMs;
    globalThis.crypto.getRandomValues = fill as typeof globalThis.crypto.getRandomValues;
    return () => {
      Object.assign(globalThis, realGlobals);
      Date.now = realDateNow;
      Math.random = realRandom;
      Buffer.allocUnsafe = realAllocate;
      drawFrom(undefined);
      Reflect.deleteProperty(performance, "now");
      Reflect.deleteProperty(globalThis.crypto, "getRandomValues");
    };
  }

  private add(task: Task, ms: number, isRepeated: boolean): Timer {
    this.lastTimer += 1;
    const id = this.lastTimer;
    const timer: Timer = {
      id,
      atMs: this.elapsedMs + ms,
      actor: this.current.getStore(),
      task,
      everyMs: isRepeated ? ms : undefined,
      unref: () => timer,
      ref: () => timer,
      hasRef: () => true,
      [Symbol.toPrimitive]: () => id,
    };
    if (timer.actor?.state !== "dead") this.timers.push(timer);
    return timer;
  }

  private fire(timer: Timer): void {
    if (timer.everyMs === undefined) this.timers = this.timers.filter((each) => each !== timer);
    else timer.atMs = this.elapsedMs + timer.everyMs;
    if (timer.actor) timer.actor.run(timer.task);
    else timer.task();
  }

  /** The timers of those who can run, soonest first among equals. */
  private get waking(): Timer[] {
    return this.timers.filter((timer) => timer.actor === undefined || timer.actor.state === "running");
  }

  /** Moves time to the next timer; false when there is none. */
  jump(): boolean {
    const soonest = this.waking.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
    if (soonest === Number.POSITIVE_INFINITY) return false;
    this.elapsedMs = Math.max(this.elapsedMs, soonest);
    return true;
  }

  /** Lets everything happen that follows from the last step without asking anybody. */
  async settle(): Promise<void> {
    await new Promise(realImmediate);
  }

  /** One step: one call, or one timer, of one process. False when nobody can do anything any more. */
  async step(): Promise<boolean> {
    this.steps += 1;
    this.elapsedMs += this.random() < 0.2 ? this.random() * 4 : 0.05;
    while (!this.grant()) if (!this.jump()) return false;
    await this.settle();
    return true;
  }

  /** Lets one of those who can go on now do so; false when there are none. */
  private grant(): boolean {
    const due = this.waking.filter(({ atMs }) => atMs <= this.elapsedMs);
    const able = [...this.actors].filter(
      (actor) => actor.state === "running" && (actor.ready.length > 0 || due.some((timer) => timer.actor === actor)),
    );
    const free = due.filter((timer) => timer.actor === undefined);
    const actor = able[Math.floor(this.random() * (able.length + (free.length > 0 ? 1 : 0)))];
    if (!actor) {
      if (free[0]) this.fire(free[0]);
      return free.length > 0;
    }
    const own = due.filter((timer) => timer.actor === actor);
    const choice = Math.floor(this.random() * (actor.ready.length + own.length));
    const timer = own[choice - actor.ready.length];
    if (timer) this.fire(timer);
    else actor.ready.splice(choice, 1)[0]?.();
    return true;
  }
}
