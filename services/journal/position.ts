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
