import { Fold } from "./fold.js";
import type { Told } from "./told.js";

/**
 * What the workers of one process know of a path that everybody changes. One rule holds for all of them: each change adds
 * one to the value, so revision n holds the value n. A change that was lost, or made twice, breaks it for ever.
 */
export class SharedPath {
  /** The highest value that anybody here has seen: nobody may see a lower one afterwards. */
  seen = 0;
  readonly fold = new Fold();
  /** Changes that were answered UNKNOWN and left at that. */
  readonly open: string[] = [];

  constructor(readonly path: string) {}

  enter(told: Told): void {
    this.fold.add(told);
    this.seen = Math.max(this.seen, told.revision);
  }
}
