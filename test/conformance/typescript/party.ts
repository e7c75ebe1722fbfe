import type { HeldLock, SafefileClient, WatchFilesResponse } from "@safefile/client";

/** A client, and what it has begun. */
export class Party {
  readonly watches = new Map<string, Watching>();
  readonly held = new Map<string, HeldLock>();

  constructor(readonly client: SafefileClient) {}

  end(): void {
    for (const watching of this.watches.values()) watching.stop();
    this.client.close();
  }
}

/** A watch that goes on while other commands run. */
export class Watching {
  readonly #stop = new AbortController();
  readonly begun: Promise<void>;
  #events: WatchFilesResponse[] = [];
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(open: (signal: AbortSignal) => AsyncIterable<WatchFilesResponse>) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.begun = promise;
    const read = async () => {
      for await (const event of open(this.#stop.signal)) {
        this.#events.push(event);
        resolve();
        this.#wake();
      }
    };
    read().catch((error: unknown) => {
      this.#failure = error;
      reject(error);
      this.#wake();
    });
  }

  /** All that came, once there are so many changes among it. */
  async next(changes: number): Promise<readonly WatchFilesResponse[]> {
    while (this.#events.filter(({ event }) => event.case === "change").length < changes) {
      if (this.#failure !== undefined) throw this.#failure;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const events = this.#events;
    this.#events = [];
    return events;
  }

  stop(): void {
    this.#stop.abort();
  }
}
