import { Backup } from "./backup/backup.js";
import { Announcer } from "./commit/announcer.js";
import { Commit } from "./commit/commit.js";
import type { Config } from "./config.js";
import { Execute } from "./execute/execute.js";
import { Uploads } from "./execute/uploads.js";
import type { Index } from "./index/index.js";
import { Journals } from "./journal/journals.js";
import { Settled } from "./journal/settled.js";
import { JournalWriter } from "./journal/writer.js";
import { Breaking } from "./lock/client-locks/breaking.js";
import { ClientLocks } from "./lock/client-locks/client-locks.js";
import { Fence } from "./lock/client-locks/fence.js";
import { LockRecords } from "./lock/client-locks/records.js";
import type { Leases } from "./lock/leases.js";
import { Lock } from "./lock/lock.js";
import type { IncarnationId } from "./model/operation.js";
import { DIRECTORY_MODE, type Intent, isCreateOnly, type Operation } from "./model/operation-request.js";
import type { FilePath } from "./model/path.js";
import { type Observer, Pipeline } from "./pipeline/pipeline.js";
import { Attempt, type Part } from "./protocol/attempt.js";
import { Batons } from "./protocol/baton.js";
import { Heads } from "./protocol/heads.js";
import { Incarnation } from "./protocol/incarnation.js";
import { Settler } from "./protocol/settle.js";
import { Files } from "./query/files.js";
import { Listing } from "./query/listing.js";
import { Revisions } from "./query/revisions.js";
import { Checkpointer } from "./recover/checkpointer.js";
import { Checkpoints } from "./recover/checkpoints.js";
import { Rebuild, type Rebuilt } from "./recover/rebuild.js";
import { Recover } from "./recover/recover.js";
import { Repair } from "./recover/repair.js";
import { Replay } from "./recover/replay.js";
import { Survivor } from "./recover/survivor.js";
import { Tails } from "./recover/tails.js";
import { Store } from "./store/store.js";
import { Validate } from "./validate/validate.js";
import { Verify } from "./verify/verify.js";
import type { Host } from "./volume/process.js";
import type { Volume } from "./volume/volume.js";

/** What the engine works on: real in a replica, made up in a simulation. */
export interface Outside {
  readonly volume: Volume;
  readonly host: Host;
  readonly index: Index;
  readonly leases: Leases;
  /** Clients' locks as the volume keeps them; the lock servers get them from there when they have forgotten them. */
  readonly lockRecords?: LockRecords;
  readonly observer: Observer;
}

/** Who is told of what nobody asked for. */
export interface Told {
  /** Nothing more may be acknowledged: this incarnation ends at once. */
  leave(reason: string): void;
  /** Something failed that is tried again. */
  warn(what: string, error: unknown): void;
  /** A dead incarnation cannot be ended yet. */
  stuck(incarnation: IncarnationId, error: unknown): void;
  /** A dead incarnation has ended and is about to be closed. */
  died?(incarnation: IncarnationId): Promise<void>;
  /** The index was missing, and was rebuilt. */
  rebuilt?(rebuilt: Rebuilt): void;
  /** What an operation left is not finished yet; it is tried again. */
  unfinished?(): void;
}

export type Engine = Awaited<ReturnType<typeof buildEngine>>;

/** Builds what lies between the model of a request and the volume, without gRPC. Nothing is recovered yet. */
export async function buildEngine(outside: Outside, config: Config, told: Told) {
  const { volume, host, index, leases, observer, lockRecords = new LockRecords(volume) } = outside;
  const incarnation = await Incarnation.begin(volume, host);
  leases.incarnation = incarnation.id;
  const writer = await JournalWriter.open(
    volume,
    incarnation.id,
    {
      segmentBytesMax: config.segmentBytesMax,
      growBytes: config.journalGrowBytes,
      reserveBytes: config.journalReserveBytes,
      recordBytesMax: config.recordBytesMax,
    },
    (error) => told.leave(`the journal cannot be made durable: ${String((error as Error).cause ?? error)}`),
  );
  const journals = new Journals(volume, incarnation.id, writer, config);
  const batons = new Batons(volume, config.headsCachedMax);
  const settler = new Settler(volume, journals);
  const heads = new Heads(volume, journals, config.headsCachedMax);
  const store = new Store(volume);
  const settled = new Settled(writer);
  const checkpoints = new Checkpoints(volume, incarnation.id, config.recordBytesMax);
  const checkpointer = new Checkpointer(journals, settled, checkpoints, writer, config, (error) =>
    told.warn("no checkpoint yet", error),
  );
  const announcer = new Announcer(index, settled, incarnation.id, config.indexBacklogMax, (error) =>
    told.warn("the index lies behind", error),
  );

  const validate = new Validate(volume, batons);
  const recover = new Recover(volume, store, (error) => {
    told.unfinished?.();
    told.warn("not finished yet", error);
  });
  const repairPath = (path: FilePath): Promise<unknown> => replay.repair(path);
  const begin = (operation: Operation): Attempt =>
    new Attempt(
      volume,
      journals,
      batons,
      settler,
      operation.id,
      operation.intents.map(partOf),
      operation.checks.map(({ path }) => path),
      repairPath,
    );
  const fence = new Fence(volume, batons, settler, () => incarnation.nextOperation(), repairPath);
  const clientLocks = new ClientLocks(leases, lockRecords, fence, config);
  const lock = new Lock(leases, index, begin, recover.run.bind(recover), clientLocks);
  const backup = new Backup(volume, journals, heads, store, config);
  const execute = new Execute(volume, store, config);
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
  const rebuild = new Rebuild(index, journals, checkpoints, batons, settler, config.recoverParallel);
  index.onMissing = () => {
    rebuild
      .runIfMissing()
      .then((rebuilt) => rebuilt && told.rebuilt?.(rebuilt))
      .catch((error: unknown) => told.warn("the index is not rebuilt yet", error));
  };
  const tails = new Tails(index, journals, checkpoints, batons, heads, config.recoverParallel);
  const survivor = new Survivor(
    volume,
    journals,
    checkpoints,
    index,
    batons,
    tails,
    settler,
    incarnation,
    config.incarnationDeadMs,
    told.stuck,
    async (dead) => await told.died?.(dead),
  );
  const repair = new Repair(index, journals, incarnation.id, announcer, tails);
  const replay = new Replay(
    volume,
    journals,
    checkpoints,
    batons,
    heads,
    store,
    incarnation,
    survivor,
    config.recoverParallel,
  );
  const uploads = new Uploads(volume, incarnation, config);
  return {
    volume,
    index,
    leases,
    clientLocks,
    breaking: new Breaking(leases, lockRecords, fence),
    incarnation,
    writer,
    journals,
    batons,
    settler,
    heads,
    store,
    announcer,
    pipeline,
    files,
    listing,
    revisions,
    rebuild,
    repair,
    tails,
    survivor,
    replay,
    checkpoints,
    checkpointer,
    uploads,
  };
}

const partOf = (intent: Intent): Part => {
  const { path, kind, source } = intent;
  const isDirectory = kind === "MAKE_DIRECTORY";
  return {
    path,
    makes: isDirectory ? "directory" : source ? "file" : "nothing",
    mode: isDirectory ? (intent.mode ?? DIRECTORY_MODE) : undefined,
    createOnly: isCreateOnly(intent),
    uploadId: source?.from === "upload" ? source.uploadId : undefined,
  };
};
