/**
 * Whose turn it is on a key within this replica: highest priority first, first come first served among equals. So
 * only one operation of a replica at a time asks Redis for a lease.
 */
interface Waiter {
  readonly priority: number;
  readonly wake: () => void;
}

export class Turns {
  private readonly queues = new Map<string, Waiter[]>();

  /** How many wait or hold, over all keys. */
  get size(): number {
    let count = 0;
    for (const queue of this.queues.values()) count += queue.length + 1;
    return count;
  }

  /** Resolves when it is this caller's turn on `key`, with the function that ends the turn. */
  async take(key: string, priority: number, signal: AbortSignal): Promise<() => void> {
    const queue = this.queues.get(key);
    if (!queue) {
      this.queues.set(key, []);
      return this.passOnce(key);
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        priority,
        wake: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      const at = queue.findIndex((other) => other.priority < priority);
      queue.splice(at === -1 ? queue.length : at, 0, waiter);
    });
    return this.passOnce(key);
  }

  private passOnce(key: string): () => void {
    let passed = false;
    return () => {
      if (!passed) this.pass(key);
      passed = true;
    };
  }

  private pass(key: string): void {
    const next = this.queues.get(key)?.shift();
    if (next) next.wake();
    else this.queues.delete(key);
  }
}
