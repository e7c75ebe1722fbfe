import type { ChildProcess } from "node:child_process";
import type { TestContext } from "node:test";

/**
 * What a test has started and must end. It ends in reverse order, so a replica stops before its Redis and before
 * the directory it writes to is removed; one failure does not keep the rest from ending.
 */
export class Cleanup {
  readonly #ends: Array<() => unknown> = [];

  /** Ends everything when the test ends, whether it passed or not. */
  static of(t: Pick<TestContext, "after">): Cleanup {
    const cleanup = new Cleanup();
    t.after(() => cleanup.end());
    return cleanup;
  }

  defer(end: () => unknown): void {
    this.#ends.push(end);
  }

  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      try {
        await end();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, "several things did not end");
  }
}

const living = new Set<ChildProcess>();

/** Children end with the process that started them, also when a test file throws, times out or is interrupted. */
export function endWithParent(child: ChildProcess): void {
  if (living.size === 0) watch();
  living.add(child);
  child.once("exit", () => living.delete(child));
}

let watching = false;

function watch(): void {
  if (watching) return;
  watching = true;
  process.once("exit", killLiving);
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    process.once(signal, () => {
      killLiving();
      process.exit(code);
    });
  }
}

function killLiving(): void {
  for (const child of living) child.kill("SIGKILL");
}
