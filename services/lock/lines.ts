import type { FilePath } from "../model/path.js";
import type { Entry } from "./entry.js";
import type { Held } from "./held.js";
import { conflict, pathTarget } from "./target.js";
import type { Waiter } from "./waiter.js";

/** Those of this replica who want one path for themselves, in order, and the lease on it, if it is here. */
interface Line {
  readonly waiters: Waiter[];
  held: Held | undefined;
}

/** What part of its time a kept lease may be kept longer, so that many are given back together. */
const LATE = 1 / 8;

/**
 * Passes the lease of a path from one operation of this replica to the next, without asking the lock servers, as long
 * as nobody elsewhere has waited longer; and keeps it a moment when nobody wants it.
 */
export class Lines {
  private readonly lines = new Map<FilePath, Line>();
  /** Paths whose lease nobody uses, and until when it is kept: who comes first ends first. */
  private readonly idle = new Map<FilePath, number>();
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly keepMs: number,
    private readonly keptMax: number,
    private readonly giveBack: (held: Held) => void,
  ) {}

  /** Puts it in order. It may ask, or use what is handed to it, when it is roused. */
  join(path: FilePath, waiter: Waiter): void {
    const line = this.lines.get(path) ?? { waiters: [], held: undefined };
    this.lines.set(path, line);
    const at = line.waiters.findIndex((other) => waiter.entry.rank < other.entry.rank);
    line.waiters.splice(at === -1 ? line.waiters.length : at, 0, waiter);
    if (!line.held || !this.idle.has(path)) return;
    // After a pause its timer may not have fired yet.
    if (line.held.remainingMs > 0) this.move(path, line, line.held);
    else this.drop(path, line);
  }

  /** Whether it is its turn to ask: nobody here holds the path, or comes before it. */
  mayAsk(path: FilePath, waiter: Waiter): boolean {
    const line = this.lines.get(path);
    return line !== undefined && line.held === undefined && line.waiters[0] === waiter;
  }

  /** It waits no longer: `held` is what it got from the servers, or was handed. */
  leave(path: FilePath, waiter: Waiter, held: Held | undefined): void {
    const line = this.lines.get(path);
    if (!line) return;
    const at = line.waiters.indexOf(waiter);
    if (at !== -1) line.waiters.splice(at, 1);
    if (held) line.held = held;
    else if (at === 0) this.move(path, line);
  }

  /** Whoever used `held` is done with it. */
  pass(path: FilePath, held: Held): void {
    const line = this.lines.get(path);
    if (line?.held !== held) {
      this.giveBack(held);
      return;
    }
    const [next] = line.waiters;
    const isWanted = held.wantedRank < (next?.entry.rank ?? Number.POSITIVE_INFINITY);
    if (isWanted || held.remainingMs <= 0 || (!next && this.idle.size >= this.keptMax) || this.keepMs === 0) {
      line.held = undefined;
      this.giveBack(held);
    } else if (!next) {
      this.idle.set(path, performance.now() + this.keepMs);
      this.sweepIn(this.keepMs);
    }
    this.move(path, line, held);
  }

  /** Lets the first go on. `free` is a lease that nobody uses. */
  private move(path: FilePath, line: Line, free?: Held): void {
    const [first] = line.waiters;
    if (first && free && line.held === free) {
      this.idle.delete(path);
      line.waiters.shift();
      first.handed = free;
    }
    if (first && (first.handed || !line.held)) first.rouse();
    if (line.waiters.length === 0 && !line.held) this.lines.delete(path);
  }

  private sweepIn(ms: number): void {
    this.sweeping ??= setTimeout(() => this.sweep(), ms + this.keepMs * LATE).unref();
  }

  /** Gives back, together, what has been kept long enough. */
  private sweep(): void {
    this.sweeping = undefined;
    const nowMs = performance.now();
    for (const [path, untilMs] of this.idle) {
      if (untilMs > nowMs) {
        this.sweepIn(untilMs - nowMs);
        return;
      }
      this.drop(path, this.lines.get(path) as Line);
    }
  }

  /** Gives back a lease that nobody uses. */
  private drop(path: FilePath, line: Line): void {
    const { held } = line;
    if (!held || !this.idle.delete(path)) return;
    line.held = undefined;
    this.giveBack(held);
    this.move(path, line);
  }

  /** Its term ran out: others may have it by now, so nobody here waits for whoever still uses it. */
  lose(path: FilePath, held: Held): void {
    const line = this.lines.get(path);
    if (line?.held !== held) return;
    if (this.idle.has(path)) this.drop(path, line);
    else {
      line.held = undefined;
      this.move(path, line);
    }
  }

  /** Somebody elsewhere waits for the lease of this path. */
  want(path: FilePath): void {
    const line = this.lines.get(path);
    if (line) this.drop(path, line);
  }

  /** Gives back what is kept and stands in the way of `entry`. */
  yieldTo(entry: Entry): void {
    if (this.idle.size === 0) return;
    for (const target of entry.targets) {
      if (target.scope === "path") this.want(target.path as FilePath);
      else for (const [path, line] of [...this.lines]) if (conflict(pathTarget(path), target)) this.drop(path, line);
    }
  }

  clear(): void {
    for (const [path, line] of [...this.lines]) this.drop(path, line);
  }
}
