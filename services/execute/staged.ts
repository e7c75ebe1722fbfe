import type { PathBase } from "../backup/base.js";
import type { Content } from "../model/content.js";
import type { Handle, Inspected, LiveName } from "../volume/volume.js";

/** One path's new file, filled and still out of sight. */
export interface StagedFile {
  readonly base: PathBase;
  /** Held for an operation on one path; the others are found again when they are published. */
  readonly live: LiveName | undefined;
  readonly handle: Handle;
  readonly content: Content;
  readonly inode: bigint;
  readonly mtimeNs: bigint;
  /** What was read back behind the last write; undefined where that is still to be done. */
  readonly inspected: Inspected | undefined;
}

/** Ticket of `execute`: every new file is complete under its staged name. Deletes have none. */
export interface Staged {
  readonly files: readonly (StagedFile | undefined)[];
  /** Greater than the time of every base. */
  readonly timeMs: number;
}
