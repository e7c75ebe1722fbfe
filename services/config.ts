/**
 * All settings and limits, with unit, default and reason. `safefile.yaml` (or the file that SAFEFILE_CONFIG names)
 * is overridden by SAFEFILE_* variables: `leaseMs` by SAFEFILE_LEASE_MS. Unknown names are refused in both.
 */
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { parse } from "yaml";
import { z } from "zod";

const KiB = 1024;
const MiB = 1024 * KiB;

const number = (value: number, min: number, max: number, reason: string) =>
  z.coerce.number().int().min(min).max(max).default(value).describe(reason);

const list = z.preprocess(
  (value) => (typeof value === "string" ? value.split(",") : value),
  z.array(z.string().min(1)),
);

/** Without authentication, everybody who reaches the port may change files: so only this host may reach it. */
function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(":"));
  // In brackets only: without them the port would be taken for the last part of an address that is no loopback.
  if (host === "localhost" || host === "[::1]") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

export const schema = z.strictObject({
  listen: z
    .string()
    .regex(/:\d{1,5}$/, "must be host:port")
    .refine((listen) => Number(listen.slice(listen.lastIndexOf(":") + 1)) <= 65_535, "has a port above 65535")
    .refine(isLoopback, "must be a loopback address (127.0.0.1, ::1, localhost): there is no authentication yet")
    .default("127.0.0.1:7420")
    .describe("Address of the gRPC server. Port 0 takes a free one."),
  volumeName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
    .default("main")
    .describe("What requests call the volume."),
  volumeRoot: z.string().min(1).default("./data").describe("Directory that is served. Must exist."),
  volumeKind: z
    .enum(["auto", "local", "network"])
    .default("auto")
    .describe("`network` when other hosts mount the same tree; `auto` asks the file system."),
  redisUrls: list
    .default(["redis://127.0.0.1:6379"])
    .refine((urls) => urls.length % 2 === 1, "must be an odd number of servers: an even one splits its vote")
    .describe("Independent Redis servers that vote on leases: 1, 3 or 5."),
  indexUrl: z.string().optional().describe("Redis that holds the index; the first of redisUrls when not given."),
  logLevel: z.enum(["silent", "error", "warn", "info", "debug"]).default("info").describe("Least level logged."),

  inlineBytesMax: number(
    64 * KiB,
    0,
    MiB,
    "Bytes. Contents up to this are kept in the journal: one flush makes them durable.",
  ),
  writeBytesMax: number(MiB, 1, MiB, "Bytes of one WriteFile. Larger files are uploaded as a stream."),
  uploadBytesMax: number(
    64 * 1024 * MiB,
    1,
    Number.MAX_SAFE_INTEGER,
    "Bytes of one upload: a lost client must not fill the volume.",
  ),
  writesInFlightMax: number(
    64,
    1,
    4096,
    "Writes of one WriteFiles stream under way or not answered yet; the next is read when one is answered.",
  ),
  uploadIdleMs: number(
    30_000,
    100,
    3_600_000,
    "Milliseconds without a chunk until an upload is given up: a stalled client must not hold a file for ever.",
  ),
  uploadsKeptMax: number(
    1_000,
    1,
    100_000,
    "Unfinished uploads with an upload_id at once, live or waiting to be resumed; more are refused, so that broken ones do not pile up.",
  ),
  uploadKeepMs: number(
    24 * 3_600_000,
    60_000,
    30 * 24 * 3_600_000,
    "Milliseconds since its last byte that an unfinished upload is kept: long enough to come back the next day.",
  ),
  uploadCleanMs: number(
    300_000,
    50,
    3_600_000,
    "Milliseconds between two looks for unfinished uploads that nobody came back for.",
  ),
  uploadSyncBytes: number(
    64 * MiB,
    MiB,
    1024 * MiB,
    "Bytes of an upload between two flushes, while more is received: a power cut, or a host that dies, costs a resumed upload up to twice as many.",
  ),
  chunkBytes: number(
    256 * KiB,
    KiB,
    MiB,
    "Bytes of one chunk sent: large enough for throughput, small enough for 64 streams in memory.",
  ),
  messageBytesMax: number(4 * MiB, 64 * KiB, 64 * MiB, "Bytes of one gRPC message received."),
  receiveWindowBytes: number(
    512 * KiB,
    64 * KiB,
    16 * MiB,
    "Bytes that a client may send of each call before the service has taken them: two chunks, or the two ends take turns. Held in memory, for every call under way.",
  ),
  streamsMax: number(256, 1, 10_000, "Calls at once on one connection."),
  operationsMax: number(
    1024,
    1,
    100_000,
    "Changes under way at once; more get RESOURCE_EXHAUSTED, so that memory stays bounded.",
  ),
  readsMax: number(512, 1, 100_000, "Reads under way at once: each holds a descriptor and a chunk."),

  leaseMs: number(
    10_000,
    100,
    600_000,
    "Milliseconds of a lease. Long enough to outlive a pause, short enough to wait for after a crash.",
  ),
  leaseKeepMs: number(
    500,
    0,
    60_000,
    "Milliseconds that a lease nobody uses is kept for the next change of its path, which then asks no lock server; up to an eighth longer, so that many are given back together. Others who want it get it at once; those of a replica that dies are out until their term ends.",
  ),
  leasesKeptMax: number(
    1_000,
    0,
    1_000_000,
    "Leases kept at once: each is out until its term ends if this replica dies.",
  ),
  agingMs: number(
    50,
    0,
    60_000,
    "Milliseconds of waiting that one point of priority is worth: at 50, a wait of priority -100 is overtaken by those of priority 100 that begin up to 10 s later, and by no others.",
  ),
  lockWaitMs: number(
    20_000,
    0,
    600_000,
    "Milliseconds that a change waits for its turn when the request does not say: twice the lease that a dead holder may have left.",
  ),
  lockWaitMsMax: number(600_000, 0, 3_600_000, "Milliseconds that a request may ask to wait."),
  lockTtlMs: number(
    30_000,
    1_000,
    600_000,
    "Milliseconds that a client's lock lasts unless renewed, when the request does not say: long enough for a person's script, short enough to wait for when its client died.",
  ),
  lockTtlMsMax: number(
    600_000,
    1_000,
    86_400_000,
    "Milliseconds that a client's lock lasts at most unless renewed: what a client that died can keep from others.",
  ),
  lockTargetsMax: number(1_000, 1, 1_000, "Paths and trees of one lock: each has a baton that is raised and flushed."),
  lockPathBytesMax: number(
    256 * KiB,
    4 * KiB,
    MiB,
    "Bytes of all paths of one lock together: each lock server keeps them, and each waiter is told of them.",
  ),
  locksMax: number(
    10_000,
    1,
    1_000_000,
    "Clients' locks of a volume at once, a small file each: whoever locks looks through all of them.",
  ),
  lockCleanMs: number(60_000, 50, 3_600_000, "Milliseconds between two looks for files of locks that are over."),
  lockWatchesMax: number(64, 1, 10_000, "Watches of locks at once in one replica: each holds a queue."),
  lockEventsMax: number(
    1_000,
    10,
    100_000,
    "Events that wait for one watcher of locks; one that is further behind gets a gap and what is held instead.",
  ),
  wakeUpMsMax: number(200, 5, 10_000, "Milliseconds until a waiter looks again by itself, should a wake-up be lost."),
  deadlockAfterMs: number(
    300,
    10,
    60_000,
    "Milliseconds that somebody waits before it is looked whether it waits in a circle: most waits end sooner.",
  ),
  deadlockLookMs: number(
    500,
    10,
    60_000,
    "Milliseconds between two looks for circles: each lists all lock servers, and a circle is to be found within two seconds.",
  ),
  deadlockConfirmMs: number(
    100,
    1,
    10_000,
    "Milliseconds between the two looks that have to show the same circle before somebody gives way.",
  ),
  redisTimeoutMs: number(1_000, 10, 60_000, "Milliseconds until a Redis that does not answer counts as silent."),
  indexTimeoutMs: number(5_000, 10, 60_000, "Milliseconds until a Redis command of the index fails."),
  indexBacklogMax: number(
    10_000,
    1,
    1_000_000,
    "Committed changes that Redis has not heard of; more, and new changes wait.",
  ),
  notIndexedMax: number(
    1_000,
    1,
    1_000_000,
    "Revisions of one path that the index may lie behind before it must be rebuilt.",
  ),

  changesKeptMax: number(
    100_000,
    100,
    10_000_000,
    "Changes that Redis keeps for watchers who resume, at some 150 bytes each; an older token gets a gap.",
  ),
  watchersMax: number(256, 1, 10_000, "Watches of files at once in one replica: each holds a queue."),
  watchBufferMax: number(
    1_000,
    10,
    100_000,
    "Changes that wait for one watcher; one that is further behind gets a gap instead.",
  ),
  watchHeartbeatMs: number(
    10_000,
    50,
    600_000,
    "Milliseconds of silence until a watcher hears that all is quiet, with a token that has moved on.",
  ),

  segmentBytesMax: number(
    64 * MiB,
    MiB,
    1024 * MiB,
    "Bytes of a journal segment: what is read at once when it is compacted.",
  ),
  journalGrowBytes: number(
    MiB,
    64 * KiB,
    64 * MiB,
    "Bytes zeroed ahead in the journal, so that most flushes have no file size to record.",
  ),
  journalReserveBytes: number(
    64 * KiB,
    4 * KiB,
    MiB,
    "Bytes kept zeroed in the journal, so that aborts can be recorded on a full volume.",
  ),
  recordBytesMax: number(
    8 * MiB,
    2 * MiB,
    64 * MiB,
    "Bytes of one journal record; a reader trusts no length above it.",
  ),
  recordsCachedBytesMax: number(32 * MiB, 0, 1024 * MiB, "Bytes of journal records kept decoded for the paths in use."),
  headsCachedMax: number(
    100_000,
    1,
    10_000_000,
    "Paths whose file attributes and batons are remembered, to tell outside changes cheaply and to look less often.",
  ),
  checkpointMs: number(
    10_000,
    10,
    3_600_000,
    "Milliseconds until a checkpoint says what of the journal is settled: a start after a power cut reads what came since.",
  ),
  checkpointBytes: number(
    64 * MiB,
    64 * KiB,
    16 * 1024 * MiB,
    "Bytes of journal after which a checkpoint is made at once: bounds what a start after a power cut reads.",
  ),
  recoverParallel: number(
    64,
    1,
    1_000,
    "Paths that a replay or a rebuild of the index works on at once, each with the content of one record in memory.",
  ),
  requestIdKeepMs: number(
    24 * 3_600_000,
    60_000,
    30 * 24 * 3_600_000,
    "Milliseconds that the outcome of a request id is kept.",
  ),

  heartbeatMs: number(2_000, 50, 60_000, "Milliseconds between two signs of life of a replica."),
  incarnationDeadMs: number(
    10_000,
    200,
    600_000,
    "Milliseconds of silence, in Redis and on the volume, until a replica counts as dead.",
  ),
  baseSettleMs: number(
    5_000,
    0,
    120_000,
    "Milliseconds that a network file system's cache gets to show the newest file.",
  ),
  drainMs: number(10_000, 0, 600_000, "Milliseconds that a stopping replica gives to the changes under way."),
  drainMsMax: number(600_000, 0, 3_600_000, "Milliseconds that a request to drain may give to them."),
  drainGraceMs: number(
    5_000,
    100,
    60_000,
    "Milliseconds more for what is past its journal record and for leaving in order; then the process ends anyway.",
  ),
  volumeSilentMs: number(
    8_000,
    100,
    600_000,
    "Milliseconds without an answer of the volume until calls are refused: more than a busy disk takes, and less than what others wait before they count this replica as dead.",
  ),
  incidentsMax: number(
    1_000,
    10,
    100_000,
    "Incidents kept on the volume, a file each; the oldest are removed. A listing keeps them in memory.",
  ),
  incidentsPerMinuteMax: number(
    10,
    1,
    1_000,
    "Incidents of one kind that a replica records in a minute; of more, only the number: a flood costs no disk.",
  ),
  eventWatchesMax: number(64, 1, 10_000, "Watches of events at once: each looks at the volume."),
  watchPollMs: number(1_000, 10, 60_000, "Milliseconds between two looks for what other replicas recorded."),
  listEntriesMax: number(1_000_000, 1_000, 100_000_000, "Entries of one directory that a listing sorts in memory."),
  restoresMax: number(16, 1, 1_000, "Restore jobs at once in one replica."),
  restoreParallel: number(8, 1, 64, "Files that one restore job works on at once, each with a chunk in memory."),
});

export type Config = z.infer<typeof schema>;

/** Variables of the same prefix that are not settings of a replica. */
const NOT_SETTINGS = /^SAFEFILE_(CONFIG|ADDRESS|VOLUME|LOCK_ID|FENCING_TOKEN|TRACE_CONSOLE|TEST_.*|DEMO_.*)$/;

const variableOf = (key: string): string => `SAFEFILE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

export class ConfigError extends Error {}

/** Reads the file and the environment. Throws ConfigError with one line a problem. */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const file = environment.SAFEFILE_CONFIG ?? "safefile.yaml";
  if (environment.SAFEFILE_CONFIG && !existsSync(file)) throw new ConfigError(`${file} does not exist`);
  const fromFile: unknown = existsSync(file) ? (parse(readFileSync(file, "utf8")) ?? {}) : {};
  if (typeof fromFile !== "object" || Array.isArray(fromFile))
    throw new ConfigError(`${file} must hold keys and values`);
  const byVariable = new Map(Object.keys(schema.shape).map((key) => [variableOf(key), key]));
  const settings: Record<string, unknown> = { ...fromFile };
  const problems: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("SAFEFILE_") || NOT_SETTINGS.test(variable)) continue;
    const key = byVariable.get(variable);
    if (key) settings[key] = value;
    else problems.push(`${variable}: no such setting`);
  }
  const parsed = schema.safeParse(settings);
  if (!parsed.success)
    problems.push(...parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems.join("\n"));
  return parsed.data;
}
