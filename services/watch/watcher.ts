import { LRUCache } from "lru-cache";
import { IndexUnavailableError } from "../errors/index.js";
import { type ChangeHint, type ChangesReader, type Position, sameLog } from "../index/changes.js";
import { JournalCorruptError } from "../journal/reader.js";
import type { RevisionInfo } from "../model/file-info.js";
import type { FilePath } from "../model/path.js";
import { type Head, MissingRecordError } from "../protocol/heads.js";
import { revisionsOf } from "../query/revisions.js";
import type { Chains } from "./chains.js";
import type { Feed } from "./feed.js";
import { Inbox } from "./inbox.js";
import { covers, type Scope } from "./scope.js";

/** `position` is where to go on after it. */
export type WatchEvent =
  | { readonly kind: "change"; readonly position: Position; readonly revision: RevisionInfo }
  | { readonly kind: "gap" | "heartbeat"; readonly position: Position };

/** Paths of which one watcher remembers what it sent last. */
const SENT_MAX = 10_000;
/** Revisions sent for one hint; more that came before it, and a gap says so. */
const FILLED_MAX = 1_000;
const PAGE_MAX = 500;

/** One watch: what was missed since its token, then what comes, in the order of each path's revisions. */
export class Watcher {
  private readonly inbox: Inbox;
  private readonly sent = new LRUCache<FilePath, number>({ max: SENT_MAX });

  constructor(
    private readonly feed: Feed,
    private readonly changes: ChangesReader,
    private readonly chains: Chains,
    private readonly scope: Scope,
    private readonly limits: { readonly watchBufferMax: number; readonly watchHeartbeatMs: number },
    private readonly onError: (error: unknown) => void,
  ) {
    this.inbox = new Inbox(scope, limits.watchBufferMax);
  }

  async *run(from: Position | undefined, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const at = from && (yield* this.catchUp(from, signal));
    using heard = await this.feed.listen(this.inbox, signal);
    // What the feed has not heard yet, but was there before this watch, is not for it.
    let { position } = at ? { position: at } : await this.now();
    if (at) {
      // From where the pages ended to where the feed begins; from there on it is in the inbox.
      const missing = sameLog(at, heard) ? yield* this.pages(at, signal, heard.sequence) : undefined;
      position = missing ?? { generation: heard.generation, run: heard.run, sequence: heard.sequence };
      if (!missing) yield this.gap(position);
    }
    yield { kind: "heartbeat", position };
    const begin = position;
    const { watchHeartbeatMs } = this.limits;
    while (!signal.aborted) {
      const arrival = this.inbox.take();
      if (!arrival) {
        const quietSinceMs = performance.now();
        await this.inbox.wait(watchHeartbeatMs, signal);
        // Something may have come after the wait ended: a token beyond it would skip it.
        if (signal.aborted || !this.inbox.isEmpty || performance.now() - quietSinceMs < watchHeartbeatMs) continue;
        const quiet = this.inbox.position ?? begin;
        // Without Redis nobody knows whether all is quiet.
        if (this.feed.isCurrent) yield { kind: "heartbeat", position: later(begin, quiet) };
      } else if ("gap" in arrival) yield this.gap(arrival.gap);
      else {
        const { generation, run } = this.inbox.position ?? begin;
        const isOld = sameLog(begin, { generation, run, sequence: 0 }) && arrival.hint.sequence <= begin.sequence;
        if (!isOld) yield* this.tell(arrival.hint, { generation, run, sequence: arrival.hint.sequence });
      }
    }
  }

  /** Pages from the token until there are hardly any more; returns where it got. */
  private async *catchUp(from: Position, signal: AbortSignal): AsyncGenerator<WatchEvent, Position> {
    const { position: end } = await this.now();
    if (sameLog(from, end) && from.sequence <= end.sequence) {
      const reached = yield* this.pages(from, signal, end.sequence);
      if (reached) return reached;
    }
    // Another log, or a place that this one never had.
    const { position } = await this.now();
    yield this.gap(position);
    return position;
  }

  /** The changes up to `until`; undefined when the log became another one meanwhile. */
  private async *pages(
    from: Position,
    signal: AbortSignal,
    until: number,
  ): AsyncGenerator<WatchEvent, Position | undefined> {
    let position = from;
    while (position.sequence < until && !signal.aborted) {
      const page = await this.changes.after(position, PAGE_MAX);
      if (!page) return undefined;
      if (page.missed) yield this.gap({ ...position, sequence: (page.hints[0]?.sequence ?? until + 1) - 1 });
      for (const hint of page.hints) {
        if (hint.sequence > until) return { ...position, sequence: until };
        if (covers(this.scope, hint.path)) yield* this.tell(hint, { ...position, sequence: hint.sequence });
      }
      if (page.position.sequence === position.sequence) return position;
      position = page.position;
    }
    return position;
  }

  private async now(): Promise<{ position: Position }> {
    const position = await this.changes.end();
    if (!position) throw new IndexUnavailableError();
    return { position };
  }

  /** What came before is told by listing; so nothing is known any more of what was sent. */
  private gap(position: Position): WatchEvent {
    this.sent.clear();
    return { kind: "gap", position };
  }

  /** What `hint` stands for, read from the volume, after whatever lies between it and what was sent last. */
  private async *tell(hint: ChangeHint, position: Position): AsyncGenerator<WatchEvent> {
    const { path } = hint;
    const last = this.sent.get(path);
    if (last !== undefined && hint.revision <= last) return;
    let revisions: RevisionInfo[] | undefined;
    try {
      const head = await this.chains.find(path, hint.operation, hint.revision);
      if (!head) {
        this.onError(new Error(`the index names ${hint.operation} for revision ${hint.revision} of a path: it is not`));
        return;
      }
      const before = last === undefined ? [] : await this.chains.between(last, head, FILLED_MAX);
      if (!before) yield this.gap({ ...position, sequence: position.sequence - 1 });
      revisions = [...(before ?? []), head].flatMap((each: Head) => revisionsOf(path, each));
    } catch (error) {
      if (!(error instanceof MissingRecordError || error instanceof JournalCorruptError)) throw error;
      // Damage is told of elsewhere; here somebody has to look for himself.
      this.onError(error);
      yield this.gap(position);
      return;
    }
    const due = revisions.filter(({ revision }) => revision > (last ?? 0));
    for (const [at, revision] of due.entries()) {
      // Whoever goes on after any but the last of them gets all of them again.
      const sequence = position.sequence - (at < due.length - 1 ? 1 : 0);
      this.sent.set(path, revision.revision);
      yield { kind: "change", position: { ...position, sequence }, revision };
    }
  }
}

/** The further of two places; in different logs, the second. */
const later = (begin: Position, now: Position): Position =>
  sameLog(begin, now) && begin.sequence > now.sequence ? begin : now;
