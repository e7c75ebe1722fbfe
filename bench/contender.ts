import type { Cleanup } from "../test/cluster/cleanup.js";

/** What is asked of a contender, one operation each time. */
export type Workload =
  /** Replaces a file durably, or makes it. */
  | "write"
  /** Replaces ten files durably. */
  | "ten"
  | "read"
  | "stat"
  /** The first page of 1,000 entries of the directory that the path is in. */
  | "list"
  /** The newest 100 revisions. */
  | "revisions"
  /** As write, read: of contents too large for one message. */
  | "upload"
  | "download";

export type Operation = (path: string, sizeBytes: number) => Promise<unknown>;

/** One way to do it. What it cannot do is not there. */
export type Contender = Partial<Readonly<Record<Workload, Operation>>> & {
  /** Done before anything is measured, where a contender is faster at it than by its own writes. */
  readonly prepare?: (paths: readonly string[], sizeBytes: number) => Promise<void>;
};

/** What a contender may use: it ends with the run. */
export interface Place {
  readonly cleanup: Cleanup;
  /** An empty directory on the file system that is measured. */
  readonly directory: string;
}

export type Start = (place: Place) => Promise<Contender>;

/** The same bytes for everybody; large contents are many times `chunk`. */
export const CHUNK_BYTES = 256 * 1024;
const BYTES = Buffer.alloc(1024 * 1024, "safefile");

export function contentOf(sizeBytes: number): Buffer {
  if (sizeBytes > BYTES.length) throw new RangeError(`${sizeBytes} bytes are sent in chunks`);
  return BYTES.subarray(0, sizeBytes);
}

/** A large content, as a stream would give it. */
export async function* chunksOf(sizeBytes: number): AsyncGenerator<Buffer> {
  for (let left = sizeBytes; left > 0; left -= CHUNK_BYTES) yield BYTES.subarray(0, Math.min(left, CHUNK_BYTES));
}

/** The ten files that "ten" replaces. */
export const tenOf = (path: string): string[] => Array.from({ length: 10 }, (_, at) => `${path}.${at}`);
