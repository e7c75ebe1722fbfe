import { ArgumentInvalidError, OverloadedError, RequestIdReusedError, RestoreError } from "../errors/index.js";
import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import type { Claim } from "../lock/claim.js";
import { isOperationId, type OperationId } from "../model/operation.js";
import type { Intent, Standing } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { Receipt } from "../model/receipt.js";
import type { Incarnation } from "../protocol/incarnation.js";
import type { Files } from "../query/files.js";
import type { Listing } from "../query/listing.js";
import type { Revisions } from "../query/revisions.js";
import { RestoreJob } from "./job.js";
import { type RestoreRequest, Selection } from "./selection.js";

export interface RestoreLimits {
  readonly restoresMax: number;
  readonly restoreParallel: number;
}

/** Ended jobs whose events can still be watched. */
const ENDED_MAX = 64;

/** The restore jobs of this replica. */
export class Restores {
  private readonly jobs = new Map<string, RestoreJob>();
  private readonly stop = new AbortController();

  constructor(
    private readonly incarnation: Incarnation,
    private readonly journals: Journals,
    private readonly index: Index,
    private readonly files: Files,
    private readonly listing: Listing,
    private readonly revisions: Revisions,
    private readonly change: (
      intent: Intent,
      job: RestoreJob,
      requestId: string,
      standing: Standing | undefined,
    ) => Promise<Receipt>,
    /** Holds a tree while it is restored. */
    private readonly claim: (tree: FilePath | "", job: RestoreJob) => Promise<Claim>,
    private readonly limits: RestoreLimits,
  ) {}

  /** The time right after `operation`, for a restore as of it. Throws INVALID_ARGUMENT when no journal knows it. */
  async timeOf(operation: string): Promise<number> {
    const record = isOperationId(operation) ? await this.journals.find(operation as OperationId) : undefined;
    if (record) return record.timeMs;
    throw new ArgumentInvalidError({ field: "as_of_operation", problem: "names an operation that no journal holds" });
  }

  /** Starts a job, or returns the one that this request id started. */
  start(request: RestoreRequest, requestId: string, traceId: string): RestoreJob {
    const earlier = [...this.jobs.values()].find((job) => requestId !== "" && job.requestId === requestId);
    if (earlier && JSON.stringify(earlier.request) === JSON.stringify(request)) return earlier;
    if (earlier) throw new RequestIdReusedError({ requestId, operationId: earlier.id, field: "request_id" });
    const running = [...this.jobs.values()].filter((job) => job.isRunning).length;
    if (running >= this.limits.restoresMax)
      throw new OverloadedError({ what: "restores under way", limit: this.limits.restoresMax });
    const id = this.incarnation.nextOperation();
    const job: RestoreJob = new RestoreJob(
      id,
      request,
      requestId || id,
      traceId,
      this.files,
      this.revisions,
      (intent, each, standing) => this.change(intent, job, each, standing),
      (tree) => this.claim(tree, job),
      this.limits.restoreParallel,
    );
    this.forgetOldest();
    this.jobs.set(id, job);
    const selection = new Selection(this.index, this.files, this.listing, this.revisions, request);
    job.run(selection, this.stop.signal).catch(() => undefined); // run() keeps its own errors
    return job;
  }

  /** Throws RECOVERY_RESTORE when this replica does not have it. */
  find(id: string): RestoreJob {
    const job = this.jobs.get(id);
    if (job) return job;
    const problem = isOperationId(id)
      ? `Restore ${id} is not known to this replica: it runs in another one, or that one ended. Files already restored stay so; starting it again skips them.`
      : `There is no restore ${id}.`;
    throw new RestoreError({ problem, restoreId: id }, "NOT_FOUND");
  }

  /** Stops all jobs after the files under way. */
  close(): void {
    this.stop.abort();
  }

  private forgetOldest(): void {
    for (const [id, job] of this.jobs) {
      if (this.jobs.size < ENDED_MAX) return;
      if (!job.isRunning) this.jobs.delete(id);
    }
  }
}
