import { setTimeout as sleep } from "node:timers/promises";
import { type ChangeHint, type ChangesPage, type ChangesTail, type Position, sameLog } from "../index/changes.js";

/** Who is told of changes; neither call may wait. */
export interface Listener {
  /** Everything up to `position` has been said. */
  hear(hints: readonly ChangeHint[], position: Position): void;
  /** Changes may have been missed; it goes on after `position`. */
  miss(position: Position): void;
}

/** What the feed needs of the index. */
export interface ChangesSource {
  followChanges(waitMsMax: number): Pick<ChangesTail, "end" | "after" | "close">;
  /** Called when the index is missing: somebody has to rebuild it. */
  onMissing(): void;
}

const PAGE_MAX = 1_000;
/** How long one read waits for news, and how soon another building of the index is noticed. */
const WAIT_MS = 500;
const RETRY_MS = 100;

/** Follows the log of changes once for all listeners of this replica, and only while there are any. */
export class Feed {
  private readonly listeners = new Set<Listener>();
  private position: Position | undefined;
  private begun = Promise.withResolvers<void>();
  private running: Promise<void> | undefined;
  private answering = false;

  constructor(
    private readonly source: ChangesSource,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Whether the last look at Redis succeeded: then all is heard up to the position. */
  get isCurrent(): boolean {
    return this.answering;
  }

  /** Tells `listener` of all changes after the position returned, until it is disposed of. */
  async listen(listener: Listener, signal: AbortSignal): Promise<Position & Disposable> {
    this.listeners.add(listener);
    const end = (): void => void this.listeners.delete(listener);
    this.running ??= this.follow();
    const left = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => left.resolve(), { once: true });
    if (signal.aborted) left.resolve();
    await Promise.race([this.begun.promise, left.promise]);
    if (!this.position) {
      end();
      throw signal.reason;
    }
    return { ...this.position, [Symbol.dispose]: end };
  }

  private async follow(): Promise<void> {
    const tail = this.source.followChanges(WAIT_MS);
    try {
      while (this.listeners.size > 0) {
        try {
          await this.look(tail);
        } catch (error) {
          if (this.answering) this.onError(error);
          this.answering = false;
          await sleep(RETRY_MS);
        }
      }
    } finally {
      tail.close();
      this.position = undefined;
      this.answering = false;
      this.begun = Promise.withResolvers();
      this.running = undefined;
    }
  }

  private async look(tail: Pick<ChangesTail, "end" | "after">): Promise<void> {
    const page = this.position && (await tail.after(this.position, PAGE_MAX, WAIT_MS));
    if (page) this.tell(page);
    else await this.begin(tail);
  }

  private tell({ hints, position, missed }: ChangesPage): void {
    this.answering = true;
    this.position = position;
    for (const listener of this.listeners) {
      if (missed) listener.miss({ ...position, sequence: (hints[0]?.sequence ?? position.sequence + 1) - 1 });
      listener.hear(hints, position);
    }
  }

  /** Another building of the index, or another life of Redis: what was in between is not in this log. */
  private async begin(tail: Pick<ChangesTail, "end">): Promise<void> {
    const position = await tail.end();
    if (!position) {
      this.answering = false;
      this.source.onMissing();
      await sleep(RETRY_MS);
      return;
    }
    const before = this.position;
    this.answering = true;
    if (before && sameLog(before, position)) return;
    this.position = position;
    if (!before) this.begun.resolve();
    else for (const listener of this.listeners) listener.miss(position);
  }
}
