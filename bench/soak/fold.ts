import { createHash } from "node:crypto";
import type { Told } from "./told.js";

const MODULUS = 1n << 128n;

/**
 * A set of revisions as their number and a sum of digests: it does not grow, and is the same in whatever order, and by
 * however many processes, they were added. So a whole history can be compared with everything that was acknowledged.
 */
export class Fold {
  constructor(
    public count = 0,
    public sum = 0n,
  ) {}

  add({ path, revision, id, sha256 }: Told): void {
    const digest = createHash("sha256").update(`${path}\n${revision}\n${id}\n${sha256}`).digest("hex");
    this.merge({ count: 1, sum: BigInt(`0x${digest.slice(0, 32)}`) });
  }

  merge({ count, sum }: Pick<Fold, "count" | "sum">): void {
    this.count += count;
    this.sum = (this.sum + sum) % MODULUS;
  }

  equals({ count, sum }: Pick<Fold, "count" | "sum">): boolean {
    return this.count === count && this.sum === sum;
  }
}
