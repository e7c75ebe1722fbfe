import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { RestoreError } from "../errors/index.js";
import {
  type ListRevisionsRequest,
  ListRevisionsResponseSchema,
  OverwritePolicy,
  type ReadRevisionRequest,
  type RebuildIndexRequest,
  RebuildIndexResponseSchema,
  type RecoveryService,
  RestoreAction,
  type RestoreItem as RestoreItemMessage,
  RestoreItemSchema,
  type RestoreProgress as RestoreProgressMessage,
  RestoreProgressSchema,
  RestoreSchema,
  RestoreState,
  type RollbackFileRequest,
  RollbackFileResponseSchema,
  type StartRestoreRequest,
  StartRestoreResponseSchema,
  type WatchRestoreRequest,
  WatchRestoreResponseSchema,
} from "../gen/safefile/v1/recovery_service_pb.js";
import type { Incarnation } from "../protocol/incarnation.js";
import type { Revisions } from "../query/revisions.js";
import type { Rebuild } from "../recover/rebuild.js";
import type { RestoreItem, RestoreJob, RestoreProgress } from "../restore/job.js";
import type { Restores } from "../restore/restores.js";
import type { RestoreRequest } from "../restore/selection.js";
import { canonicalDirectory, canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
import type { IncidentReports } from "./incidents.js";
import type { Mutations } from "./mutations.js";
import { type Part, type Reading, rangeOf } from "./reading.js";
import { toSafeOperationError, toStatus } from "./status.js";
import {
  checkLabels,
  checkPageSize,
  checkPosition,
  checkPriority,
  checkRequestId,
  checkVolume,
  fromOptions,
  fromPageToken,
  refuse,
  toDuration,
  toPageToken,
  toRevision,
} from "./wire.js";

const GLOBS_MAX = 100;
const GLOB_LENGTH_MAX = 1024;
/** Clocks of callers and replicas differ a little; a point further ahead than this is a mistake. */
const FUTURE_MS_MAX = 60_000;

/** RecoveryService, as far as it is built. */
export class Recovery {
  constructor(
    private readonly mutations: Mutations,
    private readonly revisions: Revisions,
    private readonly reading: Reading,
    private readonly rebuild: Rebuild,
    private readonly restores: Restores,
    private readonly incarnation: Incarnation,
    private readonly incidents: IncidentReports,
  ) {}

  readonly handlers: Handlers<typeof RecoveryService> = {
    listRevisions: (request) => this.listRevisions(request),
    readRevision: (request) => this.readRevision(request),
    rollbackFile: (request, context) => this.rollbackFile(request, context),
    rebuildIndex: (request) => this.rebuildIndex(request),
    startRestore: (request, context) => this.startRestore(request, context),
    watchRestore: (request, context) => this.watchRestore(request, context),
    listIncidents: (request) => this.incidents.list(request),
  };

  private async listRevisions(request: ListRevisionsRequest) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    const token = fromPageToken(request.pageToken);
    if (!/^[0-9]{0,15}$/.test(token)) refuse("page_token", "is not one that a page gave");
    const { revisions, more } = await this.revisions.page(path, Number(token), checkPageSize(request.pageSize));
    return create(ListRevisionsResponseSchema, {
      revisions: revisions.map((info) => toRevision(this.mutations.volumeName, info)),
      nextPageToken: more ? toPageToken(String(revisions.at(-1)?.revision)) : "",
    });
  }

  private readRevision(request: ReadRevisionRequest): AsyncIterable<Part> {
    checkVolume(request.volume, this.mutations.volumeName);
    return this.reading.revision(rangeOf(request), checkPosition(request.revision, "revision"));
  }

  private async rollbackFile(request: RollbackFileRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    const options = fromOptions(request.options, this.mutations.limits);
    const revision = checkPosition(request.revision, "revision");
    if (revision === 0) refuse("revision", "must name the revision to go back to, from 1");
    this.mutations.enter();
    const info = await this.revisions.find(path, revision);
    const content = info.content;
    if (!content) refuse("revision", `${revision} has no content`);
    const source = { from: "revision" as const, revision, sizeBytes: content.sizeBytes, find: async () => content };
    const intent = { path, kind: "ROLLBACK" as const, source, mode: content.mode };
    return create(RollbackFileResponseSchema, { result: await this.mutations.run(intent, options, context) });
  }

  private async rebuildIndex(request: RebuildIndexRequest) {
    checkVolume(request.volume, this.mutations.volumeName);
    const startMs = performance.now();
    const rebuilt = await this.rebuild.run();
    return create(RebuildIndexResponseSchema, {
      paths: BigInt(rebuilt.paths),
      revisions: BigInt(rebuilt.revisions),
      journals: BigInt(rebuilt.journals),
      records: BigInt(rebuilt.records),
      duration: toDuration(performance.now() - startMs),
    });
  }

  private async startRestore(request: StartRestoreRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const requestId = checkRequestId(request.requestId, "request_id");
    const restore = await this.readRestore(request);
    this.mutations.enter();
    const job = this.restores.start(restore, requestId, context.traceId);
    return create(StartRestoreResponseSchema, {
      restoreId: job.id,
      requestId: job.requestId,
      traceId: job.traceId,
      restore: this.toRestore(job, request),
    });
  }

  private async readRestore(request: StartRestoreRequest): Promise<RestoreRequest> {
    const { tree } = request;
    const path = tree ? canonicalDirectory(request.path) : canonicalPath(request.path);
    const target = request.targetPath === "" ? undefined : canonicalPath(request.targetPath, "target_path");
    if (target && isNested(path, target)) refuse("target_path", "must not lie below path, nor above it");
    const keepExisting = request.overwritePolicy === OverwritePolicy.NEVER;
    if (!(request.overwritePolicy in OverwritePolicy)) refuse("overwrite_policy", "is not one that this server knows");
    if (!tree && request.include.length > 0) refuse("include", "goes with tree only");
    if (!tree && request.exclude.length > 0) refuse("exclude", "goes with tree only");
    if (request.deleteExtra && (!tree || target || keepExisting))
      refuse("delete_extra", "goes with tree only, and not with target_path or NEVER");
    return {
      path,
      tree,
      asOfMs: await this.readPoint(request),
      include: checkGlobs(request.include, "include"),
      exclude: checkGlobs(request.exclude, "exclude"),
      keepExisting,
      deleteExtra: request.deleteExtra,
      target,
      dryRun: request.dryRun,
      priority: checkPriority(request.priority, "priority"),
      labels: checkLabels(request.labels, "labels"),
    };
  }

  private async readPoint({ point }: StartRestoreRequest): Promise<number> {
    if (point.case === "asOfOperation") return this.restores.timeOf(point.value);
    if (point.case !== "asOfTime") refuse("point", "is needed: as_of_time or as_of_operation");
    const asOfMs = timestampMs(point.value);
    if (asOfMs > Date.now() + FUTURE_MS_MAX) refuse("as_of_time", "lies in the future");
    return asOfMs;
  }

  private async *watchRestore({ restoreId, cursor }: WatchRestoreRequest, context: CallContext) {
    if (!/^[0-9]{0,15}$/.test(cursor)) refuse("cursor", "is not one that an event gave");
    const job = this.restores.find(restoreId);
    for await (const each of job.watch(Number(cursor), context.signal)) {
      const { event } = each;
      yield create(WatchRestoreResponseSchema, {
        cursor: String(each.cursor),
        event:
          "progress" in event
            ? { case: "progress", value: toProgress(event.progress) }
            : { case: "item", value: toItem(event.item) },
      });
    }
    if (context.signal.aborted)
      throw new RestoreError({ problem: "The watch was ended; the restore goes on.", restoreId }, "UNAVAILABLE");
  }

  private toRestore(job: RestoreJob, request: StartRestoreRequest) {
    return create(RestoreSchema, {
      restoreId: job.id,
      request: { ...request, volume: this.mutations.volumeName, requestId: job.requestId },
      progress: toProgress(job.progress),
      failures: job.failures.map(toItem),
      createTime: timestampFromMs(job.createTimeMs),
      ...(job.endTimeMs === undefined ? {} : { endTime: timestampFromMs(job.endTimeMs) }),
      ...(job.error ? { error: toStatus(toSafeOperationError(job.error)) } : {}),
      incarnation: this.incarnation.id,
      traceId: job.traceId,
    });
  }
}

function checkGlobs(globs: readonly string[], field: string): readonly string[] {
  if (globs.length > GLOBS_MAX) refuse(field, `must have at most ${GLOBS_MAX} globs`);
  if (globs.some((glob) => glob === "" || glob.length > GLOB_LENGTH_MAX))
    refuse(field, `must have globs of 1 to ${GLOB_LENGTH_MAX} characters`);
  return globs;
}

const isNested = (left: string, right: string): boolean =>
  left === "" || left === right || left.startsWith(`${right}/`) || right.startsWith(`${left}/`);

const toProgress = (progress: RestoreProgress): RestoreProgressMessage =>
  create(RestoreProgressSchema, {
    state: RestoreState[progress.state],
    filesTotal: BigInt(progress.filesTotal),
    filesDone: BigInt(progress.filesDone),
    filesRestored: BigInt(progress.filesRestored),
    filesSkipped: BigInt(progress.filesSkipped),
    filesDeleted: BigInt(progress.filesDeleted),
    filesFailed: BigInt(progress.filesFailed),
    bytesTotal: BigInt(progress.bytesTotal),
    bytesDone: BigInt(progress.bytesDone),
    currentPath: progress.currentPath,
    counting: progress.counting,
  });

const toItem = (item: RestoreItem): RestoreItemMessage =>
  create(RestoreItemSchema, {
    path: item.path,
    action: RestoreAction[item.action],
    revision: BigInt(item.revision),
    sourceRevision: BigInt(item.sourceRevision),
    sizeBytes: BigInt(item.sizeBytes),
    ...(item.error ? { error: toStatus(toSafeOperationError(item.error)) } : {}),
  });
