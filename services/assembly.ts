import type { Logger } from "pino";
import { Calls } from "./api/call.js";
import { FileOps } from "./api/file-ops.js";
import { type Gate, Mutations } from "./api/mutations.js";
import { Reading } from "./api/reading.js";
import { Recovery } from "./api/recovery.js";
import { Server } from "./api/server.js";
import { Backup } from "./backup/backup.js";
import { Announcer } from "./commit/announcer.js";
import { Commit } from "./commit/commit.js";
import type { Config } from "./config.js";
import { Execute } from "./execute/execute.js";
import { Uploads } from "./execute/uploads.js";
import { Index } from "./index/index.js";
import { Journals } from "./journal/journals.js";
import { JournalWriter } from "./journal/writer.js";
import { Leases } from "./lock/leases.js";
import { Lock } from "./lock/lock.js";
import type { Intent, Operation } from "./model/operation-request.js";
import { beginOperation } from "./pipeline/begin.js";
import { Pipeline } from "./pipeline/pipeline.js";
import { Attempt } from "./protocol/attempt.js";
import { Batons } from "./protocol/baton.js";
import { openFormat } from "./protocol/format.js";
import { Heads } from "./protocol/heads.js";
import { Incarnation } from "./protocol/incarnation.js";
import { Settler } from "./protocol/settle.js";
import { Files } from "./query/files.js";
import { Listing } from "./query/listing.js";
import { Revisions } from "./query/revisions.js";
import { Rebuild } from "./recover/rebuild.js";
import { Recover } from "./recover/recover.js";
import { Replay } from "./recover/replay.js";
import { Survivor } from "./recover/survivor.js";
import type { RestoreJob } from "./restore/job.js";
import { Restores } from "./restore/restores.js";
import { Store } from "./store/store.js";
import { observer } from "./telemetry/observer.js";
import { Validate } from "./validate/validate.js";
import { Verify } from "./verify/verify.js";
import { PosixVolume } from "./volume/posix.js";
import type { DurabilityError } from "./volume/volume.js";

/** What the life of a replica needs of its parts. */
export interface Parts {
  readonly incarnation: Incarnation;
  readonly server: Server;
  readonly pipeline: Pipeline;
  readonly announcer: Announcer;
  readonly restores: Restores;
  readonly survivor: Survivor;
  readonly replay: Replay;
  readonly rebuild: Rebuild;
  readonly writer: JournalWriter;
  readonly index: Index;
  readonly leases: Leases;
  readonly volume: PosixVolume;
}

/** Ends the process at once: nothing more may be acknowledged. */
export type Leave = (reason: string) => void;

/** Builds all parts of a replica and joins them; nothing is served or recovered yet. */
export async function assemble(config: Config, log: Logger, gate: Gate, leave: Leave): Promise<Parts> {
  const onDurabilityError = (error: DurabilityError): void =>
    leave(`a file cannot be made durable: ${String(error.cause)}`);
  const volume = await PosixVolume.open(config.volumeRoot, config.volumeKind, onDurabilityError);
  const { volumeId } = await openFormat(volume);
  const incarnation = await Incarnation.begin(volume);
  const onRedisError = (error: Error): void => log.warn({ error: error.message }, "redis");
  const indexUrl = config.indexUrl ?? (config.redisUrls[0] as string);
  const index = new Index(
    indexUrl,
    volumeId,
    { commandTimeoutMs: config.indexTimeoutMs, requestIdKeepMs: config.requestIdKeepMs },
    onRedisError,
  );
  const leases = new Leases(
    config.redisUrls,
    volumeId,
    { leaseMs: config.leaseMs, commandTimeoutMs: config.redisTimeoutMs, wakeUpMsMax: config.wakeUpMsMax },
    onRedisError,
  );
  const writer = await JournalWriter.open(
    volume,
    incarnation.id,
    {
      segmentBytesMax: config.segmentBytesMax,
      growBytes: config.journalGrowBytes,
      reserveBytes: config.journalReserveBytes,
      recordBytesMax: config.recordBytesMax,
    },
    (error) => leave(`the journal cannot be made durable: ${String((error as Error).cause ?? error)}`),
  );
  const journals = new Journals(volume, incarnation.id, writer, config);
  const batons = new Batons(volume);
  const settler = new Settler(volume, journals);
  const heads = new Heads(volume, journals, config.headsCachedMax);
  const store = new Store(volume);
  const announcer = new Announcer(index, incarnation.id, config.indexBacklogMax, (error) =>
    log.warn({ error: String(error) }, "the index lies behind"),
  );

  const validate = new Validate(volume);
  const recover = new Recover(volume, store, (error) => log.warn({ error: String(error) }, "not finished yet"));
  const begin = (operation: Operation): Attempt =>
    new Attempt(volume, journals, batons, settler, operation.id, operation.intents.map(partOf), (path) =>
      replay.repair(path),
    );
  const lock = new Lock(leases, index, begin, recover.run.bind(recover));
  const backup = new Backup(volume, journals, heads, store, config);
  const execute = new Execute(volume, store, config.inlineBytesMax);
  const verify = new Verify();
  const commit = new Commit(journals, heads, announcer);
  const pipeline = new Pipeline(
    {
      validate: validate.run.bind(validate),
      lock: lock.run.bind(lock),
      backup: backup.run.bind(backup),
      execute: execute.run.bind(execute),
      verify: verify.run.bind(verify),
      commit: commit.run.bind(commit),
      recover: recover.run.bind(recover),
    },
    observer,
    config.operationsMax,
  );

  const files = new Files(volume, journals, batons, heads);
  const listing = new Listing(volume, files, config.listEntriesMax);
  const revisions = new Revisions(index, batons, heads, settler, files);
  const rebuild = new Rebuild(index, journals, batons, settler);
  index.onMissing = () => {
    rebuild
      .runIfMissing()
      .catch((error: unknown) => log.warn({ error: String(error) }, "the index is not rebuilt yet"));
  };
  const survivor = new Survivor(
    volume,
    journals,
    index,
    batons,
    heads,
    settler,
    incarnation,
    config.incarnationDeadMs,
    (each, error) => log.error({ incarnation: each, error: String(error) }, "a dead incarnation cannot be ended yet"),
  );
  const replay = new Replay(volume, journals, batons, heads, store, incarnation, survivor);
  const change = async (intent: Intent, job: RestoreJob, requestId: string) => {
    const wanted = {
      requestId,
      validateOnly: false,
      lockWaitMs: config.lockWaitMs,
      signal: new AbortController().signal,
    };
    const { priority, labels } = job.request;
    const operation = beginOperation(incarnation, {
      ...wanted,
      intents: [intent],
      priority,
      labels,
      traceId: job.traceId,
    });
    return (await pipeline.run(operation)).receipt;
  };
  const restores = new Restores(incarnation, journals, index, files, listing, revisions, change, config);
  const uploads = new Uploads(volume, incarnation, config);
  const mutations = new Mutations(config.volumeName, config, incarnation, pipeline, uploads, files, gate);
  const reading = new Reading(config.volumeName, files, revisions, store, config.readsMax);
  const fileOps = new FileOps(mutations, files, listing, reading, config);
  const recovery = new Recovery(mutations, revisions, reading, rebuild, restores, incarnation);
  const calls = new Calls({ callsMax: config.operationsMax + config.readsMax }, (error, method) =>
    log.error({ err: error, method }, "unexpected failure"),
  );
  const server = new Server(calls, fileOps, recovery, config);
  return {
    incarnation,
    server,
    pipeline,
    announcer,
    restores,
    survivor,
    replay,
    rebuild,
    writer,
    index,
    leases,
    volume,
  };
}

const partOf = ({ path, kind, source, precondition }: Intent) => ({
  path,
  deletes: kind === "DELETE",
  createOnly: precondition.ifRevision === 0,
  uploadId: source?.from === "upload" ? source.uploadId : undefined,
});
