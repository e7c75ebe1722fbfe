import type { IncarnationId } from "../model/operation.js";

/** Where a record is. Segments count from 1; the offset is in bytes. */
export interface Position {
  readonly incarnation: IncarnationId;
  readonly segment: number;
  readonly offset: number;
}

export const journalDirectory = (incarnation: IncarnationId): string => `journal/${incarnation}`;

export const segmentName = (incarnation: IncarnationId, segment: number): string =>
  `${journalDirectory(incarnation)}/${String(segment).padStart(8, "0")}.log`;

/** The number of the segment in a file of that name; undefined for other names. */
export function segmentOf(name: string): number | undefined {
  const digits = /^([0-9]{8,10})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A place between two records, and the sequence of the one before it. */
export interface Mark {
  readonly sequence: number;
  readonly segment: number;
  readonly offset: number;
}

/** Before the first record of a journal. */
export const JOURNAL_START: Mark = { sequence: 0, segment: 1, offset: 0 };
