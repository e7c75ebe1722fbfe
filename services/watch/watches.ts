import { DrainingError, IndexUnavailableError, OverloadedError } from "../errors/index.js";
import type { ChangesReader, Position } from "../index/changes.js";
import type { Chains } from "./chains.js";
import type { Feed } from "./feed.js";
import type { Scope } from "./scope.js";
import { type WatchEvent, Watcher } from "./watcher.js";

export interface WatchLimits {
  readonly watchersMax: number;
  readonly watchBufferMax: number;
  readonly watchHeartbeatMs: number;
  /** How long a watch may take to begin. */
  readonly indexTimeoutMs: number;
}

/** All watches of files in this replica. */
export class Watches {
  private underWay = 0;
  private readonly leaving = new AbortController();

  constructor(
    private readonly feed: Feed,
    private readonly changes: ChangesReader,
    private readonly chains: Chains,
    private readonly limits: WatchLimits,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The changes that `scope` covers, after `from` or from now on, until `signal` is aborted. */
  async *watch(scope: Scope, from: Position | undefined, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { watchersMax, indexTimeoutMs } = this.limits;
    if (this.leaving.signal.aborted) throw new DrainingError();
    if (this.underWay >= watchersMax) throw new OverloadedError({ what: "watches of files", limit: watchersMax });
    this.underWay += 1;
    const ended = new AbortController();
    const end = (): void => ended.abort(this.leaving.signal.aborted ? new DrainingError() : signal.reason);
    for (const each of [signal, this.leaving.signal]) each.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const slow = setTimeout(() => ended.abort(new IndexUnavailableError()), indexTimeoutMs);
    try {
      const watcher = new Watcher(this.feed, this.changes, this.chains, scope, this.limits, this.onError);
      for await (const event of watcher.run(from, ended.signal)) {
        clearTimeout(slow);
        yield event;
      }
      if (ended.signal.aborted) throw ended.signal.reason;
    } finally {
      clearTimeout(slow);
      for (const each of [signal, this.leaving.signal]) each.removeEventListener("abort", end);
      this.underWay -= 1;
      // Wakes whatever still waits for it.
      ended.abort(signal.reason);
    }
  }

  /** Ends all watches, and refuses new ones: their callers go on elsewhere. */
  close(): void {
    this.leaving.abort();
  }
}
