import { LockDeadlockError, LockUnavailableError } from "../errors/index.js";
import type { LeaseId } from "../model/operation.js";
import { type Circle, type WaitGraph, waitGraph } from "./graph.js";
import type { Leases } from "./leases.js";
import { listAll } from "./view.js";

export interface DeadlockLimits {
  /** Who has waited less is not looked for: most waits end by themselves. */
  readonly deadlockAfterMs: number;
  /** Between the two looks that have to show the same. */
  readonly deadlockConfirmMs: number;
}

/**
 * Finds circles of waits over all replicas, and ends the wait of those who have to give way and wait here. Each replica
 * comes to the same victims by itself, from what a majority of the lock servers says.
 */
export class Deadlocks {
  constructor(
    private readonly leases: Pick<Leases, "quorum" | "waiting">,
    private readonly limits: DeadlockLimits,
    /** Told of each circle that is broken here, just before it is. */
    private readonly onCircle: (circle: Circle, graph: WaitGraph) => void = () => undefined,
  ) {}

  /** Looks once, if somebody here has waited long enough. Returns how many waits it ended. */
  async look(signal: AbortSignal): Promise<number> {
    try {
      return await this.lookTwice(signal);
    } catch (error) {
      // Those who wait learn it by themselves.
      if (error instanceof LockUnavailableError) return 0;
      throw error;
    }
  }

  private async lookTwice(signal: AbortSignal): Promise<number> {
    const isDue = [...this.leases.waiting()].some(
      ({ waitedMs, mayBeInCircle, entry }) =>
        waitedMs > this.limits.deadlockAfterMs && (mayBeInCircle || entry.under !== ""),
    );
    if (!isDue) return 0;
    const before = await listAll(this.leases.quorum);
    if (this.ownOf(waitGraph(before)).length === 0) return 0;
    await new Promise((resolve) => setTimeout(resolve, this.limits.deadlockConfirmMs).unref());
    if (signal.aborted) return 0;
    // Servers are read one after the other, so one look may show together what never was at once. What two looks show alike
    // was there all the time in between.
    const states = new Map(before.map(({ entry, state }) => [entry.id, state]));
    const steady = (await listAll(this.leases.quorum)).filter(({ entry, state }) => states.get(entry.id) === state);
    const graph = waitGraph(steady);
    return this.end(this.ownOf(graph), graph);
  }

  /** The circles that somebody who waits here has to break. */
  private ownOf({ circles }: WaitGraph): Circle[] {
    const here = new Set([...this.leases.waiting()].map(({ entry }) => entry.id));
    return circles.filter(({ entries }) => entries.some((id) => here.has(id)));
  }

  private end(circles: readonly Circle[], graph: WaitGraph): number {
    const ended = new Set<LeaseId>();
    for (const circle of circles) {
      if (circle.entries.every((id) => ended.has(id))) continue;
      this.onCircle(circle, graph);
      for (const { entry, fail } of this.leases.waiting()) {
        if (!circle.entries.includes(entry.id) || ended.has(entry.id)) continue;
        ended.add(entry.id);
        fail(errorOf(circle, graph));
      }
    }
    return ended.size;
  }
}

/** Says who waits for whom, beginning with the one who gives way. */
function errorOf({ parties, waits, victim }: Circle, graph: WaitGraph): LockDeadlockError {
  const from = parties.indexOf(victim);
  const around = [...waits.slice(from), ...waits.slice(0, from)];
  const owners = new Map(graph.parties.map(({ id, owner }) => [id, owner]));
  const circle = around.map(({ waiter, target }) => {
    const owner = owners.get(waiter);
    return { party: waiter, name: owner?.name ?? "", operation: owner?.operation ?? "", path: target.path };
  });
  return new LockDeadlockError({ circle });
}
