import type { Index } from "../index/index.js";
import type { Content } from "../model/content.js";
import type { IncarnationId } from "../model/operation.js";
import type { OperationRecord } from "../model/record.js";

/** What Redis is still to be told of one operation. */
export interface Announcement {
  journaled(sequence: number): void;
  /** The operation is the head; `records` are to be indexed, ours last. */
  committed(records: readonly OperationRecord[]): void;
  /** The operation failed; nothing is to be indexed, and its record is accounted for. */
  abandon(): void;
}

const RETRY_MS = 200;
const BATCH_MAX = 256;

/**
 * Tells Redis what was committed, after the callers were answered: in batches, one under way at a time, together
 * with how far our journal is accounted for. A lost announcement costs a later reader a look at the volume.
 */
export class Announcer {
  private readonly open = new Set<{ sequence: number }>();
  private readonly waiting: OperationRecord[] = [];
  private highest = 0;
  private sending: Promise<void> | undefined;

  constructor(
    private readonly index: Index,
    private readonly incarnation: IncarnationId,
    private readonly backlogMax: number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** How many records Redis has not heard of. */
  get backlog(): number {
    return this.waiting.length;
  }

  get isFull(): boolean {
    return this.waiting.length >= this.backlogMax;
  }

  begin(): Announcement {
    const mark = { sequence: Number.POSITIVE_INFINITY };
    return {
      journaled: (sequence) => {
        mark.sequence = sequence;
        this.highest = Math.max(this.highest, sequence);
        this.open.add(mark);
      },
      committed: (records) => {
        this.waiting.push(...records.map(withoutBytes));
        this.open.delete(mark);
        this.sending ??= this.send();
      },
      abandon: () => this.open.delete(mark),
    };
  }

  /** Waits until Redis knows everything, or `signal` ends the wait. */
  async settled(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([this.sending, aborted]);
  }

  private async send(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_MAX);
      // Everything below the oldest open or waiting record is accounted for once this batch is in.
      const sequence =
        this.waiting.length > batch.length
          ? 0
          : Math.min(this.highest, ...[...this.open].map((mark) => mark.sequence - 1));
      try {
        await this.index.apply(batch, sequence > 0 ? { incarnation: this.incarnation, sequence } : undefined);
        this.waiting.splice(0, batch.length);
      } catch (error) {
        this.onError(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    this.sending = undefined;
  }
}

/** The index needs sizes and digests; a backlog of contents would fill the memory (I14). */
const withoutBytes = (record: OperationRecord): OperationRecord => ({
  ...record,
  changes: record.changes.map((change) => ({
    ...change,
    content: change.content && bare(change.content),
    external:
      change.external?.deleted === false ? { deleted: false, content: bare(change.external.content) } : change.external,
  })),
});

const bare = (content: Content): Content => ({ ...content, body: { object: "" } });
