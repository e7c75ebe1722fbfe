import type { ChangeHint, Position } from "../index/changes.js";
import type { Listener } from "./feed.js";
import { covers, type Scope } from "./scope.js";

export type Arrival = { readonly hint: ChangeHint } | { readonly gap: Position };

/** What waits for one watcher: bounded, so that a slow one costs a gap and no memory (I14). */
export class Inbox implements Listener {
  private waiting: Arrival[] = [];
  private wake: (() => void) | undefined;
  /** Everything up to here was heard. */
  private heard: Position | undefined;

  constructor(
    private readonly scope: Scope,
    private readonly arrivalsMax: number,
  ) {}

  hear(hints: readonly ChangeHint[], position: Position): void {
    this.heard = position;
    for (const hint of hints) {
      if (!covers(this.scope, hint.path)) continue;
      if (this.waiting.length >= this.arrivalsMax) this.miss({ ...position, sequence: hint.sequence });
      else this.waiting.push({ hint });
    }
    if (this.waiting.length > 0) this.wake?.();
  }

  miss(position: Position): void {
    this.heard = position;
    // What waited lies before the gap: whoever lists again after it sees all of that.
    this.waiting = [{ gap: position }];
    this.wake?.();
  }

  get position(): Position | undefined {
    return this.heard;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  take(): Arrival | undefined {
    return this.waiting.shift();
  }

  /** Resolves when something waits, when `ms` have passed, or when `signal` is aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.waiting.length > 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wake = resolve;
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    this.wake = undefined;
  }
}
