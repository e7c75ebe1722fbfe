import type { Content } from "../model/content.js";
import type { Intent } from "../model/operation-request.js";
import type { ExternalChange, OperationRecord } from "../model/record.js";
import type { Head } from "../protocol/heads.js";
import type { LiveName } from "../volume/volume.js";

/** What one path held when its baton was ours. All of it is in the store (I4). */
export interface PathBase {
  readonly intent: Intent;
  /** Only for an operation on one path, and undefined while the parent directory does not exist. */
  readonly live: LiveName | undefined;
  readonly head: Head | undefined;
  /** What somebody outside made of the path after `head`. */
  readonly external: ExternalChange | undefined;
  /** What the live file holds; undefined when there is none. */
  readonly content: Content | undefined;
  /** The revision that `content` is, or the delete that left nothing; 0 when the path never held anything. */
  readonly revision: number;
  /** Of the live file; 0 when there is none. */
  readonly mtimeNs: bigint;
}

/** Ticket of `backup`: what is about to be replaced can be restored bit for bit (I4). */
export interface Base {
  readonly paths: readonly PathBase[];
  /** Committed operations below ours that the index does not have yet, oldest first. */
  readonly notIndexed: readonly OperationRecord[];
}
