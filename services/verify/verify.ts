import assert from "node:assert/strict";
import type { Staged, StagedFile } from "../execute/staged.js";
import type { Lease } from "../lock/lease.js";
import { sameBytes } from "../model/content.js";

const PARALLEL = 4;

declare const verified: unique symbol;

/** Ticket of `verify`: the staged files hold what was received. */
export interface Verified extends Staged {
  readonly [verified]: true;
}

/** Fifth stage: compares what reads back from the staged files with what was received, before anybody can see them. */
export class Verify {
  async run(lease: Lease, staged: Staged): Promise<Verified> {
    const queue = staged.files.values();
    const work = async (): Promise<void> => {
      for (const file of queue) if (file) await this.check(file);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, staged.files.length) }, work));
    lease.assertHeld();
    return staged as Verified;
  }

  private async check({ handle, content, inspected }: StagedFile): Promise<void> {
    const { stat, sha256 } = inspected ?? (await handle.inspect(content.sizeBytes));
    assert.equal(stat.sizeBytes, content.sizeBytes, "the staged file has another size than what was received");
    assert.equal(stat.mode, content.mode, "the staged file has another mode than asked for");
    assert(sameBytes(sha256, content.sha256), "the staged file reads back other bytes than were received");
  }
}
