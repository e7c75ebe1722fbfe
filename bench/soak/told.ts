import type { Revision } from "@safefile/client";

/** A revision as the service told of it, whether in the answer to a change or in a history. */
export interface Told {
  readonly path: string;
  readonly revision: number;
  /** The request that made it, by the label that it carries; "" when it carries none. */
  readonly id: string;
  /** In hex; "" for what has no content, as after a delete. */
  readonly sha256: string;
}

export const toldBy = ({ path, revision, labels, sha256 }: Revision): Told => ({
  path,
  revision: Number(revision),
  id: labels.id ?? "",
  sha256: Buffer.from(sha256).toString("hex"),
});

export const describe = ({ revision, id, sha256 }: Told): string =>
  `revision ${revision} by ${id || "nobody here"}, ${sha256 === "" ? "without content" : `SHA-256 ${sha256}`}`;
