import type { Logger } from "pino";
import { Admin, type Drains } from "./api/admin.js";
import { Calls } from "./api/call.js";
import { Copies } from "./api/copies.js";
import { Editing } from "./api/editing.js";
import { FileOps } from "./api/file-ops.js";
import { IncidentReports } from "./api/incidents.js";
import { LockReports } from "./api/lock-reports.js";
import { Locks } from "./api/locks.js";
import { Moving } from "./api/moving.js";
import { type Gate, Mutations } from "./api/mutations.js";
import { Reading } from "./api/reading.js";
import { Recovery } from "./api/recovery.js";
import { type FileOpsHandlers, Server } from "./api/server.js";
import { Transactions } from "./api/transactions.js";
import { Uploading } from "./api/uploading.js";
import { Watching } from "./api/watching.js";
import { WriteFiles } from "./api/write-files.js";
import type { Config } from "./config.js";
import { buildEngine, type Engine } from "./engine.js";
import { Ledger } from "./incidents/ledger.js";
import { Index } from "./index/index.js";
import { claimTrees } from "./lock/claim.js";
import { LockFeed } from "./lock/client-locks/feed.js";
import { LockRecords } from "./lock/client-locks/records.js";
import { Leases } from "./lock/leases.js";
import type { Intent, Standing } from "./model/operation-request.js";
import type { FilePath } from "./model/path.js";
import { Notices } from "./notices.js";
import { beginOperation } from "./pipeline/begin.js";
import { openFormat } from "./protocol/format.js";
import { isAlone } from "./protocol/incarnation.js";
import { Outcomes } from "./query/outcomes.js";
import { Trees } from "./query/tree.js";
import type { RestoreJob } from "./restore/job.js";
import { Restores } from "./restore/restores.js";
import { watchLeases } from "./telemetry/locks.js";
import { observer, unobserved } from "./telemetry/observer.js";
import { isMeasured } from "./telemetry/register.js";
import { PosixVolume } from "./volume/posix.js";
import { thisHost } from "./volume/process.js";
import type { DurabilityError } from "./volume/volume.js";
import { Chains } from "./watch/chains.js";
import { Feed } from "./watch/feed.js";
import { Watches } from "./watch/watches.js";

/** As the protos promise for moving and deleting a directory. */
const TREE_ENTRIES_MAX = 1000;

/** How much the times of files lag behind the clock of the same host. */
const CLOCK_MS = 50;

/** What the life of a replica needs of its parts. */
export interface Parts {
  readonly engine: Engine;
  readonly server: Server;
  readonly restores: Restores;
  readonly watches: Watches;
  readonly volume: PosixVolume;
  readonly notices: Notices;
}

/** The replica as its parts see it. */
export interface Life extends Gate, Drains {
  /** Aborted when changes that have not reached the journal must stop. */
  readonly aborting: AbortSignal;
  readonly volumeAnswers: boolean;
  readonly hasRecovered: boolean;
  /** Ends the process at once: nothing more may be acknowledged. */
  leave(reason: string): void;
}

/** A volume that takes no flush may take no record of it either. */
const FAIL_STOP_MS = 500;

/** Builds all parts of a replica and joins them; nothing is served or recovered yet. */
export async function assemble(config: Config, log: Logger, life: Life): Promise<Parts> {
  let parts: Parts | undefined;
  const failStop = (reason: string): void => {
    if (!parts) {
      life.leave(reason);
      return;
    }
    // Without connections nothing can be acknowledged any more (I10), so there is time to say why.
    parts.server.cut();
    setTimeout(() => life.leave(reason), FAIL_STOP_MS);
    parts.notices
      .durabilityLost()
      .then(() => life.leave(reason))
      .catch(() => life.leave(reason));
  };
  const onDurabilityError = (error: DurabilityError): void =>
    failStop(`a file cannot be made durable: ${String(error.cause)}`);
  const volume = await PosixVolume.open(config.volumeRoot, config.volumeKind, onDurabilityError);
  const { volumeId } = await openFormat(volume);
  const onRedisError = (error: Error): void => log.warn({ error: error.message }, "redis");
  const indexUrl = config.indexUrl ?? (config.redisUrls[0] as string);
  const index = new Index(indexUrl, volumeId, { ...config, commandTimeoutMs: config.indexTimeoutMs }, onRedisError);
  const lockRecords = new LockRecords(volume);
  const leases = new Leases(
    config.redisUrls,
    volumeId,
    { ...config, commandTimeoutMs: config.redisTimeoutMs },
    {
      isNothingGranted: () => isAlone(volume, leases.incarnation),
      restore: (server) => lockRecords.restore(server, volume.kind === "local" ? CLOCK_MS : config.leaseMs),
    },
    onRedisError,
  );
  watchLeases(() => leases.counts);
  const notices = new Notices(new Ledger(volume, config.incidentsMax), config, (incident, error) =>
    log.warn({ incident, error: String(error) }, "an incident cannot be recorded"),
  );
  const watched = notices.observer(isMeasured ? observer : unobserved);
  const engine = await buildEngine(
    { volume, host: thisHost(volume.bootId), index, leases, lockRecords, observer: watched },
    config,
    {
      leave: failStop,
      warn: (what, error) => {
        notices.failed(error);
        log.warn({ error: String(error) }, what);
      },
      stuck: (incarnation, error) => {
        notices.failed(error, "", incarnation);
        log.error({ incarnation, error: String(error) }, "a dead incarnation cannot be ended yet");
      },
      died: (incarnation) => notices.incidents.died(incarnation),
      rebuilt: (rebuilt) => notices.rebuilt(rebuilt),
      unfinished: () => {
        notices.settled = false;
      },
    },
  );
  notices.incidents.incarnation = engine.incarnation.id;
  parts = { engine, volume, notices, ...serve(engine, notices, config, log, life) };
  return parts;
}

/** The edge: what turns calls into operations of the engine. */
function serve(engine: Engine, notices: Notices, config: Config, log: Logger, life: Life) {
  const { incarnation, journals, index, leases, heads, files, listing, revisions, pipeline, uploads, store, rebuild } =
    engine;
  const change = async (intent: Intent, job: RestoreJob, requestId: string, standing: Standing | undefined) => {
    const wanted = {
      requestId,
      validateOnly: false,
      lockWaitMs: config.lockWaitMs,
      signal: life.aborting,
    };
    const { priority, labels } = job.request;
    const operation = beginOperation(incarnation, {
      ...wanted,
      intents: [intent],
      priority,
      labels,
      traceId: job.traceId,
      standing,
    });
    return (await pipeline.run(operation)).receipt;
  };
  const claim = (tree: FilePath | "", { request, traceId }: RestoreJob) =>
    claimTrees(leases, [tree], {
      waitMs: config.lockWaitMs,
      priority: request.priority,
      traceId,
      signal: life.aborting,
    });
  const restores = new Restores(incarnation, journals, index, files, listing, revisions, change, claim, config);
  const mutations = new Mutations(
    config.volumeName,
    config,
    incarnation,
    pipeline,
    uploads,
    files,
    life,
    leases,
    engine.clientLocks,
  );
  const reading = new Reading(config.volumeName, files, revisions, store, config.readsMax);
  const onWatchError = (error: unknown): void => log.warn({ error: String(error) }, "watches of files");
  const chains = new Chains(revisions, heads);
  const watches = new Watches(new Feed(index, onWatchError), index.changes, chains, config, onWatchError);
  const copies = new Copies(files, revisions);
  const plain = new FileOps(mutations, files, listing, reading);
  const uploading = new Uploading(mutations, files, new Outcomes(index, journals, files), config);
  const fileOps: FileOpsHandlers = {
    ...plain.handlers,
    ...uploading.handlers,
    ...new WriteFiles(plain.writeFile.bind(plain), config).handlers,
    ...new Editing(mutations).handlers,
    ...new Moving(mutations, new Trees(engine.volume, TREE_ENTRIES_MAX), copies).handlers,
    ...new Transactions(mutations, revisions, copies).handlers,
    ...new Watching(config.volumeName, watches).handlers,
  };
  const reports = new IncidentReports(config.volumeName, notices.incidents, config);
  const recovery = new Recovery(mutations, revisions, reading, rebuild, restores, incarnation, reports).handlers;
  const { clientLocks, breaking } = engine;
  const feed = new LockFeed(leases, clientLocks.records, config);
  const locks = {
    ...new Locks(config.volumeName, config, clientLocks, life).handlers,
    ...new LockReports(
      config.volumeName,
      { leases, records: clientLocks.records, breaking, feed },
      (broken, traceId) => {
        const { line, outcome, reason, requestId } = broken;
        log.warn(
          { lock: line.entry.id, targets: line.entry.targets, reason, outcome, requestId, traceId },
          "a lock was broken",
        );
        return notices.lockBroken(broken, traceId);
      },
    ).handlers,
  };
  const admin = new Admin(life, reports, config).handlers;
  const calls = new Calls(
    { callsMax: config.operationsMax + config.readsMax + config.watchersMax },
    {
      error: (error, method) => log.error({ err: error, method }, "unexpected failure"),
      failed: (failure, traceId) => notices.failed(failure, traceId),
      get volumeAnswers() {
        return life.volumeAnswers;
      },
      get hasRecovered() {
        return life.hasRecovered;
      },
    },
  );
  return { restores, watches, server: new Server(calls, { fileOps, recovery, locks, admin }, config) };
}
