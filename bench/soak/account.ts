import type { Content } from "./content.js";
import { Fold } from "./fold.js";
import { describe, type Told } from "./told.js";
import { Violation } from "./violation.js";

/** What a change makes of what a path holds; undefined for nothing. */
export type Effect = (before: Content | undefined) => Content | undefined;

/** A change that was asked for, and where it was found again, should its outcome have been left open. */
export class Change {
  readonly found = new Set<string>();
  private readonly missed = new Set<string>();
  /** When its caller left it at that. */
  leftMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly id: string,
    readonly effects: ReadonlyMap<Account, Effect>,
  ) {}

  /** It was left open, and is or is not in the history of `path`: on all of its paths alike (I17). */
  resolve(path: string, isFound: boolean): void {
    (isFound ? this.found : this.missed).add(path);
    if (this.found.size > 0 && this.missed.size > 0)
      throw Violation.at(
        path,
        `${this.id} was answered UNKNOWN, so it is on all of its paths or on none (I17)`,
        `it is on ${[...this.found].join(", ")} and not on ${[...this.missed].join(", ")}`,
      );
  }
}

/** What was seen of a live file. */
export interface Seen {
  readonly revision: number;
  readonly sha256: string;
}

/** Revisions that are remembered one by one; of all others there is the fold. */
const RECENT_MAX = 16;
/** After this a change that was answered UNKNOWN is there, or never will be (I5): longer than a call and its waits last. */
const OPEN_MS_MAX = 60_000;

/**
 * What one worker, who alone changes a path, knows of it from the answers that it got. The size does not depend on how
 * much was changed.
 */
export class Account {
  revision = 0;
  content: Content | undefined;
  readonly fold = new Fold();
  readonly recent: Told[] = [];
  /** Changes that were answered UNKNOWN and left at that. */
  open: readonly Change[] = [];

  constructor(readonly path: string) {}

  /** Whether it may be other than it is known. */
  get isInDoubt(): boolean {
    return this.open.length > 0;
  }

  get sha256(): string {
    return this.content?.sha256 ?? "";
  }

  leaveOpen(change: Change): void {
    change.leftMs = performance.now();
    this.open = [...this.open, change];
  }

  /** The next revision: by `change`, whose effect it must have. */
  enter(told: Told, change: Change): void {
    const known = `revision ${this.revision} is the newest`;
    if (told.revision !== this.revision + 1) throw Violation.at(this.path, known, `${describe(told)} comes next`);
    const content = change.effects.get(this)?.(this.content);
    const due = { ...told, id: change.id, sha256: content?.sha256 ?? "" };
    if (told.id !== due.id || told.sha256 !== due.sha256) throw Violation.at(this.path, describe(due), describe(told));
    this.revision = told.revision;
    this.content = content;
    this.fold.add(told);
    this.recent.push(told);
    if (this.recent.length > RECENT_MAX) this.recent.shift();
    if (!this.open.includes(change)) return;
    this.open = this.open.filter((each) => each !== change);
    change.resolve(this.path, true);
  }

  /** Takes in what is new in the history, oldest first: it can only be what was left open. True when there was any. */
  learn(history: readonly Told[]): boolean {
    for (const told of history) {
      const change = this.open.find(({ id }) => id === told.id);
      if (!change) throw Violation.at(this.path, `revision ${this.revision} is the newest`, describe(told));
      this.enter(told, change);
    }
    return history.length > 0;
  }

  /** What was left open so long ago, and is still not there, counts as NOT_COMMITTED from now on. */
  giveUp(nowMs = performance.now()): void {
    for (const change of this.open) {
      if (nowMs - change.leftMs < OPEN_MS_MAX) continue;
      this.open = this.open.filter((each) => each !== change);
      change.resolve(this.path, false);
    }
  }

  /** Whether a live file, or that there is none, is as it is known. */
  is(seen: Seen | undefined): boolean {
    return seen ? seen.revision === this.revision && seen.sha256 === this.sha256 : this.content === undefined;
  }

  describe(): string {
    const open = this.open.map(({ id }) => `, perhaps ${id}`).join("");
    const last = this.recent.at(-1);
    return (last ? describe(last) : "nothing") + open;
  }
}
