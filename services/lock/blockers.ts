import type { Entry } from "./entry.js";
import type { Line } from "./server.js";
import { conflict, type Target } from "./target.js";

/** What keeps a waiting entry from its targets. */
export interface Blocking {
  readonly entry: Entry;
  readonly isHeld: boolean;
  /** The target of the one who waits. */
  readonly target: Target;
}

interface Claim {
  readonly entry: Entry;
  readonly target: Target;
}

interface Queue {
  readonly holders: Claim[];
  /** Who goes first comes first. */
  readonly waiters: Claim[];
}

const goesBefore = (left: Entry, right: Entry): boolean =>
  left.rank < right.rank || (left.rank === right.rank && left.id < right.id);

/** Finds who is in whose way, by path, so that those who want other paths cost nothing. */
export class Blockers {
  private readonly queues = new Map<string, Queue>();
  /** In order, so that those below a directory stand together. */
  private readonly paths: string[];

  constructor(lines: readonly Line[]) {
    for (const { entry, state } of lines)
      for (const target of entry.targets) {
        const queue = this.queues.get(target.path) ?? { holders: [], waiters: [] };
        this.queues.set(target.path, queue);
        (state === "holding" ? queue.holders : queue.waiters).push({ entry, target });
      }
    for (const { waiters } of this.queues.values())
      waiters.sort((left, right) => (goesBefore(left.entry, right.entry) ? -1 : 1));
    this.paths = [...this.queues.keys()].sort();
  }

  /**
   * Whoever holds what conflicts, and whoever waits for it with a lower rank; the same as the servers' rule. `nearest`
   * leaves out those who wait ahead of one for whom they are in the way as well.
   */
  *of(entry: Entry, which: "nearest" | "all"): Generator<Blocking> {
    for (const target of entry.targets)
      for (const queue of this.near(target)) {
        for (const { entry: other, target: theirs } of queue.holders)
          if (other.id !== entry.id && other.id !== entry.under && conflict(theirs, target))
            yield { entry: other, isHeld: true, target };
        // Whoever acts under another entry passes by those who wait.
        if (entry.under === "") yield* ahead(queue.waiters, entry, target, which);
      }
  }

  /** The queues of its path, of directories over it and, for a subtree, of what is below it. */
  private *near({ path, scope }: Target): Generator<Queue> {
    for (const over of [path, ...directoriesOf(path)]) {
      const queue = this.queues.get(over);
      if (queue) yield queue;
    }
    if (scope === "path") return;
    const below = path === "" ? "" : `${path}/`;
    for (let at = this.first(below); at < this.paths.length; at++) {
      const other = this.paths[at] as string;
      if (!other.startsWith(below)) return;
      if (other !== path) yield this.queues.get(other) as Queue;
    }
  }

  /** Where paths from `from` on begin. */
  private first(from: string): number {
    let [low, high] = [0, this.paths.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.paths[middle] as string) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function* ahead(waiters: readonly Claim[], entry: Entry, target: Target, which: "nearest" | "all") {
  let [low, high] = [0, waiters.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (goesBefore((waiters[middle] as Claim).entry, entry)) low = middle + 1;
    else high = middle;
  }
  for (let at = low - 1; at >= 0; at--) {
    const { entry: other, target: theirs } = waiters[at] as Claim;
    if (!conflict(theirs, target)) continue;
    yield { entry: other, isHeld: false, target };
    // All ahead of this one on the path are in its way, too.
    if (which === "nearest" && theirs.mode === "exclusive" && other.under === "") return;
  }
}

function* directoriesOf(path: string): Generator<string> {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) yield path.slice(0, at);
  if (path !== "") yield "";
}
