import type { Appended, JournalEnd } from "./writer.js";

/** One operation from before its record is handed to the journal until nothing is left to be done about it. */
export interface Unsettled {
  /** The record is durable there. */
  journaled(appended: Appended): void;
  /** Published with its batons passed on, or its abort durable and its batons passed back. */
  settle(): void;
}

/**
 * How far our own journal is settled: up to the record before the oldest operation that is still open. One whose
 * outcome is unknown stays open for ever.
 */
export class Settled {
  private readonly open = new Set<{ before: JournalEnd }>();

  constructor(private readonly writer: { readonly end: JournalEnd }) {}

  /** To be called before the record is appended: it may be durable a while before anybody is told where it is. */
  begin(): Unsettled {
    // Whatever is durable by now comes before the record, wherever that will be.
    const mark = { before: this.writer.end };
    this.open.add(mark);
    return {
      journaled: ({ sequence, segment, offset, bytesBefore }) => {
        mark.before = { sequence: sequence - 1, segment, offset, bytes: bytesBefore };
      },
      settle: () => this.open.delete(mark),
    };
  }

  get end(): JournalEnd {
    let end = this.writer.end;
    for (const { before } of this.open) if (before.sequence < end.sequence) end = before;
    return end;
  }
}
