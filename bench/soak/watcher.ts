import { SafefileClient } from "@safefile/client";
import { describe, toldBy } from "./told.js";
import { Violation } from "./violation.js";

/** The stream must outlive every replica but one, and goes on at another as often as it takes. */
const RETRY = { attemptsMax: 1_000, timeMsMax: 60_000, backoffMsMax: 500 };

/** One watch of the whole volume for the whole run: of each path it must tell every revision, in order, at least once. */
export class Watcher {
  changes = 0;
  repeats = 0;
  gaps = 0;
  private readonly newest = new Map<string, number>();
  private readonly stop = new AbortController();
  private readonly failing = Promise.withResolvers<never>();

  /** Rejects when a revision is left out, or the watch ends. */
  readonly failed: Promise<never> = this.failing.promise;

  private constructor(private readonly client: SafefileClient) {
    this.failed.catch(() => undefined);
  }

  /** Returns once it is live: whatever is committed from then on must be told. */
  static async start(addresses: readonly string[]): Promise<Watcher> {
    const watcher = new Watcher(new SafefileClient({ address: `ipv4:${addresses.join(",")}`, retry: RETRY }));
    const live = Promise.withResolvers<void>();
    watcher.follow(live.resolve).catch((error: unknown) => {
      if (!watcher.stop.signal.aborted) watcher.failing.reject(error);
    });
    await Promise.race([live.promise, watcher.failed]);
    return watcher;
  }

  /** The newest revision told of a path; undefined when there was none, or a gap since. */
  newestOf(path: string): number | undefined {
    return this.newest.get(path);
  }

  end(): void {
    this.stop.abort();
    this.client.close();
  }

  private async follow(begun: () => void): Promise<void> {
    for await (const { event } of this.client.watch("", { recursive: true, signal: this.stop.signal })) {
      begun();
      if (event.case === "gap") {
        // Whatever was told before, anything may come next.
        this.gaps += 1;
        this.newest.clear();
      }
      if (event.case !== "change" || !event.value.revision) continue;
      const told = toldBy(event.value.revision);
      const before = this.newest.get(told.path) ?? (this.gaps > 0 ? told.revision - 1 : 0);
      if (told.revision > before + 1)
        throw Violation.at(told.path, `revisions after ${before} are told in order`, describe(told));
      if (told.revision <= before) this.repeats += 1;
      this.changes += 1;
      this.newest.set(told.path, Math.max(before, told.revision));
    }
    throw new Error("the watch ended");
  }
}
