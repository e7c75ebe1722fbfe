import { oneByOne } from "../../services/volume/volume.js";

/**
 * Runs several actors one file-system call at a time, in an order drawn from a seed: the same seed, the same run. An
 * actor may be stopped for ever before any of its calls, as a killed or paused process would be.
 */
export class Scheduler {
  private readonly waiting = new Map<number, (() => void)[]>();
  private readonly running = new Set<number>();
  private changed = Promise.withResolvers<void>();
  steps = 0;

  constructor(private readonly random: () => number) {}

  /** Starts an actor; it makes its calls through `gate`. */
  start(actor: number, work: () => Promise<void>): void {
    this.running.add(actor);
    work().then(
      () => this.end(actor),
      (error: unknown) => this.fail(actor, error),
    );
  }

  private failure: unknown;

  private fail(actor: number, error: unknown): void {
    this.failure ??= error;
    this.end(actor);
  }

  private end(actor: number): void {
    this.running.delete(actor);
    this.waiting.delete(actor);
    this.notify();
  }

  private notify(): void {
    this.changed.resolve();
    this.changed = Promise.withResolvers<void>();
  }

  /** `target`, each of whose calls waits for its turn. */
  gate<T extends object>(actor: number, target: T): T {
    const wrap = (value: unknown): unknown =>
      typeof value === "object" && value !== null ? this.gate(actor, value) : value;
    return new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key, object);
        if (key === "inOrder") return oneByOne;
        if (typeof value !== "function" || key === "control") return value;
        return async (...call: unknown[]) => {
          if (key !== Symbol.asyncDispose) await this.turn(actor);
          const result: unknown = await Reflect.apply(value, object, call);
          return key === "create" || key === "openRead" || key === "openWrite" ? wrap(result) : result;
        };
      },
    });
  }

  private turn(actor: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.set(actor, [...(this.waiting.get(actor) ?? []), resolve]);
      this.notify();
    });
  }

  /** Lets actors go on until all have ended or were stopped. `stop` draws whether the chosen one is stopped for ever. */
  async run(stop: () => boolean): Promise<void> {
    for (;;) {
      while ([...this.running].some((actor) => !this.waiting.has(actor)) && !this.failure) await this.changed.promise;
      if (this.failure) throw this.failure;
      const ready = [...this.running];
      if (ready.length === 0) return;
      const actor = ready[Math.floor(this.random() * ready.length)] as number;
      if (stop()) {
        this.running.delete(actor);
        continue;
      }
      const [next, ...rest] = this.waiting.get(actor) ?? [];
      if (rest.length > 0) this.waiting.set(actor, rest);
      else this.waiting.delete(actor);
      this.steps += 1;
      next?.();
    }
  }
}

/** Mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
