import assert from "node:assert/strict";
import type { Base } from "../backup/base.js";
import { AlreadyExistsError, LimitExceededError, PathNotPlainError } from "../errors/index.js";
import type { StagedFile } from "../execute/staged.js";
import type { Journals } from "../journal/journals.js";
import type { Lease } from "../lock/lease.js";
import type { OperationId } from "../model/operation.js";
import { DIRECTORY_MODE, isCreateOnly } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { Receipt } from "../model/receipt.js";
import type { OperationRecord, PathChange } from "../model/record.js";
import type { Heads } from "../protocol/heads.js";
import type { Plan } from "../validate/plan.js";
import type { Verified } from "../verify/verify.js";
import { codeOf, DurabilityError, type Stat } from "../volume/volume.js";
import type { Announcer } from "./announcer.js";

/** Sixth stage: journal, decide, finish. The record is durable before anybody can see the change (I1). */
export class Commit {
  constructor(
    private readonly journals: Journals,
    private readonly heads: Heads,
    private readonly announcer: Announcer,
  ) {}

  async run(plan: Plan, lease: Lease, base: Base, verified: Verified): Promise<Receipt> {
    const { operation } = plan;
    const { attempt } = lease;
    const record = this.record(plan, lease, base, verified);
    for (const { content, revision } of base.paths)
      assert(content === undefined || revision > 0, "I4: the base is not a revision that can be restored");
    lease.assertHeld();

    const announcement = this.announcer.begin();
    let announced = false;
    lease.settled = (outcome) => {
      if (outcome !== "DECIDED") announcement.settle();
      if (outcome === "NOT_COMMITTED" || announced) return;
      announced = true;
      announcement.committed([...base.notIndexed, record]);
    };
    attempt.record = record;
    try {
      announcement.journaled(await this.journals.append(record));
    } catch (error) {
      // A full volume is met before a byte of the record is written; after any other failure nobody can know.
      if (!(error instanceof DurabilityError)) attempt.record = undefined;
      if (error instanceof RangeError) throw new LimitExceededError({ field: "operations", limit: error.message });
      throw error;
    }
    await this.decide(lease, base, verified);
    // The change is the head now, whatever else fails.
    try {
      await attempt.finish();
    } catch (error) {
      lease.settled("DECIDED");
      throw error;
    }
    lease.settled("COMMITTED");
    lease.committed();
    for (const [part, file] of verified.files.entries())
      if (file) this.remember(file, operation.id, attempt.published[part]);
    return { operation: operation.id, requestId: operation.requestId, record, replayed: false };
  }

  /** Unless somebody outside has written into it since: that must be noticed by who looks next. */
  private remember({ base, content, mtimeNs }: StagedFile, operation: OperationId, published?: Stat): void {
    if (published?.mtimeNs === mtimeNs && published.sizeBytes === content.sizeBytes)
      this.heads.remember(base.intent.path, operation, published);
  }

  private async decide(lease: Lease, base: Base, verified: Verified): Promise<void> {
    try {
      await lease.attempt.decide(verified.files[0]?.live);
    } catch (error) {
      const path = base.paths[0]?.intent.path as FilePath;
      if (codeOf(error) === "EEXIST") throw new AlreadyExistsError({ path });
      // Made since the base was looked at, perhaps for a file below it.
      if (codeOf(error) === "EISDIR") throw new PathNotPlainError({ path, what: "directory" });
      throw error;
    }
  }

  private record(plan: Plan, lease: Lease, base: Base, verified: Verified): OperationRecord {
    const { operation } = plan;
    const changes = base.paths.map((path, part): PathChange => {
      const file = verified.files[part];
      const { intent, head, external } = path;
      return {
        path: intent.path,
        kind: intent.kind,
        epoch: lease.attempt.batonOf(intent.path).epoch,
        baseOperation: lease.attempt.batonOf(intent.path).last,
        baseRevision: head?.change.revision ?? 0,
        external,
        revision: path.revision + 1,
        content: file?.content,
        createOnly: isCreateOnly(intent),
        inode: file?.inode ?? 0n,
        mtimeNs: file?.mtimeNs ?? 0n,
        sourceRevision: intent.source?.from === "revision" ? intent.source.revision : 0,
        backupRevision: path.content ? path.revision : 0,
        directoryMode: intent.kind === "MAKE_DIRECTORY" ? (intent.mode ?? DIRECTORY_MODE) : 0,
      };
    });
    return {
      operation: operation.id,
      requestId: operation.requestId,
      requestSha256: operation.requestSha256,
      timeMs: verified.timeMs,
      changes,
      labels: operation.labels,
      traceId: operation.traceId,
    };
  }
}
