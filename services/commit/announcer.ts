import type { Index } from "../index/index.js";
import type { Settled } from "../journal/settled.js";
import type { Appended } from "../journal/writer.js";
import type { IncarnationId } from "../model/operation.js";
import { type OperationRecord, withoutBytes } from "../model/record.js";

/** What Redis is still to be told of one operation. */
export interface Announcement {
  journaled(appended: Appended): void;
  /** The operation is the head; `records` are to be indexed, ours last. */
  committed(records: readonly OperationRecord[]): void;
  /** Nothing is left to be done about it: published with its batons passed on, or stopped. */
  settle(): void;
}

const RETRY_MS = 200;
const BATCH_MAX = 256;

/**
 * Tells Redis what was committed, after the callers were answered: in batches, one under way at a time, together
 * with how far our journal is accounted for. A lost announcement costs a later reader a look at the volume.
 */
export class Announcer {
  private readonly waiting: OperationRecord[] = [];
  /** How many batches Redis has heard of. It must never say less: then it went back, and forgot some of them. */
  private batches = 0;
  /** The watermark that Redis has been told. */
  private told = 0;
  /** From where our journal has to be indexed again; undefined when Redis knows all that it was told. */
  private forgottenFrom: number | undefined;
  private sending: Promise<void> | undefined;

  constructor(
    private readonly index: Index,
    private readonly journal: Settled,
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

  /** To be called before the record is handed to the journal. */
  begin(): Announcement {
    const mark = this.journal.begin();
    return {
      journaled: (appended) => mark.journaled(appended),
      committed: (records) => {
        // The index needs sizes and digests; a backlog of contents would fill the memory (I14).
        this.waiting.push(...records.map(withoutBytes));
        this.sending ??= this.send();
      },
      settle: () => mark.settle(),
    };
  }

  /** Waits until Redis knows everything, or `signal` ends the wait. */
  async settled(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([this.sending, aborted]);
  }

  /** Asks Redis whether it still knows what it was told; where to index our journal from when it does not. */
  async forgotten(): Promise<number | undefined> {
    if (this.forgottenFrom === undefined) await this.tell([], 0);
    return this.forgottenFrom;
  }

  /** All that Redis was told, it knows again: says so there, unless `confirm` finds that it went back once more. */
  async remembered(confirm: () => Promise<boolean>): Promise<void> {
    const { incarnation, batches, told } = this;
    await this.index.apply([], { incarnation, expected: 0, batch: batches, sequence: told });
    if (await confirm()) this.forgottenFrom = undefined;
  }

  private async send(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_MAX);
      // Everything below the oldest open or waiting record is accounted for once this batch is in.
      const sequence = this.waiting.length > batch.length ? 0 : this.journal.end.sequence;
      try {
        await this.tell(batch, sequence);
        this.waiting.splice(0, batch.length);
      } catch (error) {
        this.onError(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    this.sending = undefined;
  }

  private async tell(batch: readonly OperationRecord[], sequence: number): Promise<void> {
    if (this.forgottenFrom !== undefined) {
      // The watermark stays where it is until the rest is indexed again, also when this replica dies before that.
      await this.index.apply(batch);
      return;
    }
    const expected = this.batches;
    const { incarnation } = this;
    const stands = await this.index.apply(batch, { incarnation, expected, batch: expected + 1, sequence });
    if (stands !== undefined) {
      this.forgottenFrom ??= stands;
      return;
    }
    this.batches = Math.max(this.batches, expected + 1);
    this.told = Math.max(this.told, sequence);
  }
}
