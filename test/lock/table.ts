import type { Entry, State } from "../../services/lock/entry.js";
import { conflict, type Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";

export interface Listed {
  readonly entry: Entry;
  readonly state: State;
}

interface Line extends Listed {
  state: State;
}

/**
 * Who holds what and who waits, in the memory of one process. What a lock server does in Lua (script.ts), this does in
 * plain words: it stands in for the servers in simulations. book.test.ts compares the two.
 */
export class LockTable {
  private readonly lines = new Map<LeaseId, Line>();
  /** The lines of each path, holders first, then by rank. */
  private readonly byPath = new Map<string, Line[]>();
  /** Those with a subtree among their targets: they matter to paths that they do not name. */
  private readonly overSubtrees = new Set<Line>();

  get size(): number {
    return this.lines.size;
  }

  list(): Iterable<Listed> {
    return this.lines.values();
  }

  get(id: LeaseId): Listed | undefined {
    return this.lines.get(id);
  }

  /**
   * Those who keep `entry` from holding its targets: who holds what conflicts, and who waits for it with a lower rank.
   * Whoever acts under another entry waits for holders only, and not for that one.
   */
  *blockers(entry: Entry): Generator<Listed> {
    for (const target of entry.targets)
      for (const line of this.near(target)) if (blocks(line, entry, target)) yield line;
  }

  isBlocked(entry: Entry): boolean {
    return !this.blockers(entry).next().done;
  }

  /** Puts it down as holding when nobody is in the way, else as waiting. */
  request(entry: Entry): State {
    const state = this.isBlocked(entry) ? "waiting" : "holding";
    this.put(entry, state);
    return state;
  }

  put(entry: Entry, state: State): void {
    this.take(entry.id);
    const line: Line = { entry, state };
    this.lines.set(entry.id, line);
    for (const { path, scope } of entry.targets) {
      if (scope === "subtree") this.overSubtrees.add(line);
      const queue = this.byPath.get(path) ?? [];
      this.byPath.set(path, queue);
      const at = queue.findIndex((other) => goesBefore(line, other));
      queue.splice(at === -1 ? queue.length : at, 0, line);
    }
  }

  remove(id: LeaseId): void {
    this.take(id);
  }

  private take(id: LeaseId): Line | undefined {
    const line = this.lines.get(id);
    if (!line) return undefined;
    this.lines.delete(id);
    this.overSubtrees.delete(line);
    for (const { path } of line.entry.targets) {
      const queue = this.byPath.get(path) ?? [];
      const rest = queue.filter((other) => other !== line);
      if (rest.length === 0) this.byPath.delete(path);
      else this.byPath.set(path, rest);
    }
    return line;
  }

  /** Whose targets may overlap `target`: on its path in order, then those over it, then those below it. */
  private *near({ path, scope }: Target): Generator<Line> {
    yield* [...(this.byPath.get(path) ?? [])];
    for (const line of this.overSubtrees) yield line;
    if (scope === "path") return;
    const below = path === "" ? "" : `${path}/`;
    for (const [other, queue] of this.byPath) if (other !== path && other.startsWith(below)) yield* queue;
  }
}

function blocks(line: Line, entry: Entry, target: Target): boolean {
  const { id, targets } = line.entry;
  if (id === entry.id || id === entry.under) return false;
  if (line.state === "waiting" && (entry.under !== "" || !isEarlier(line.entry, entry))) return false;
  return targets.some((theirs) => conflict(theirs, target));
}

const isEarlier = (left: Entry, right: Entry): boolean =>
  left.rank < right.rank || (left.rank === right.rank && left.id < right.id);

const goesBefore = (left: Line, right: Line): boolean =>
  left.state === right.state ? isEarlier(left.entry, right.entry) : left.state === "holding";
