import type { PathChange } from "../model/record.js";

/**
 * When a path is repaired: what is to go before what comes, so that a file does not lie where a directory was made since;
 * directories before what is in them; and those that were removed last.
 */
export type Wave = "gone" | "made" | "files" | "removed";

/** The wave of a path that `change` left as it should be; undefined for a path without a history. */
export function waveOf(change: Pick<PathChange, "kind" | "content"> | undefined): Wave {
  if (change?.kind === "MAKE_DIRECTORY") return "made";
  if (change?.kind === "REMOVE_DIRECTORY") return "removed";
  return change?.content ? "files" : "gone";
}
