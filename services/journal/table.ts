import type { Position } from "./position.js";

/** Where a record is, within the journal of one incarnation. */
export type Place = Omit<Position, "incarnation">;

const PAGE_ENTRIES = 4096;

/** Where the records of one incarnation are, by the sequence of their operations: 8 bytes each, kept for ever. */
export class Table {
  /** Segment and offset in turn; segment 0 for none. Pages, because ids of operations that never came to a record are
   * left out. */
  private readonly pages = new Map<number, Uint32Array>();

  set(sequence: number, { segment, offset }: Place): void {
    const number = Math.floor(sequence / PAGE_ENTRIES);
    let page = this.pages.get(number);
    if (!page) {
      page = new Uint32Array(2 * PAGE_ENTRIES);
      this.pages.set(number, page);
    }
    const entry = 2 * (sequence % PAGE_ENTRIES);
    page[entry] = segment;
    page[entry + 1] = offset;
  }

  get(sequence: number): Place | undefined {
    const page = this.pages.get(Math.floor(sequence / PAGE_ENTRIES));
    if (!page) return undefined;
    const entry = 2 * (sequence % PAGE_ENTRIES);
    const [segment, offset] = page.subarray(entry, entry + 2) as unknown as [number, number];
    return segment === 0 ? undefined : { segment, offset };
  }
}
