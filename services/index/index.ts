import { createHash } from "node:crypto";
import { Redis, type RedisOptions } from "ioredis";
import { IndexUnavailableError } from "../errors/index.js";
import { type IncarnationId, isOperationId, type OperationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import type { OperationRecord } from "../model/record.js";
import { Gathering } from "../redis/gathering.js";
import { ChangesReader, ChangesTail, runOf } from "./changes.js";
import { entriesOf } from "./entries.js";
import { packOperation, unpackOperation } from "./entry.js";

/** What the index says before a change, to be believed only as far as the volume agrees. */
export interface Known {
  /** The operation that had this request id and committed. */
  readonly earlier: OperationId | undefined;
  /** Per path, the newest operation up to which everything is indexed. */
  readonly heads: ReadonlyMap<FilePath, OperationId>;
}

export interface IndexLimits {
  readonly commandTimeoutMs: number;
  readonly requestIdKeepMs: number;
  /** About how many changes the log for watchers keeps. */
  readonly changesKeptMax: number;
}

// The head only moves forward, so late writers and a rebuild may come in any order. A change enters the log when its
// revision is first indexed, in the same step: whatever of the two Redis forgets, it forgets the other, too. Numbers
// in the log are dense, so that a reader sees what is missing; a new log starts at a time, beyond the old one's end.
const APPLY = `
local keptMax = tonumber(ARGV[4])
if keptMax > 0 and redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[#ARGV] then
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
  local number
  if last[1] then
    number = tonumber(string.match(last[1][1], '^%d+')) + 1
  else
    local time = redis.call('TIME')
    number = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', keptMax, string.format('%.0f-0', number),
    'p', ARGV[1], 'r', ARGV[2], 'o', ARGV[3])
end
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
local head = redis.call('HGET', KEYS[1], 'h')
if not head or tonumber(string.match(head, '^%d+')) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'h', ARGV[2] .. ' ' .. ARGV[3], 'p', ARGV[1])
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1`;

// Fewer batches than expected say that Redis went back, and forgot records with them: then the watermark stays until
// all that lies above it is indexed again.
const SET_WATERMARK = `
local batches = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ' batches') or '0')
local watermark = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if batches < tonumber(ARGV[2]) then return watermark end
if batches < tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], ARGV[1] .. ' batches', ARGV[3]) end
if watermark < tonumber(ARGV[4]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) end
return -1`;

const RENEW_REBUILD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

const END_REBUILD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
local time = redis.call('TIME')
redis.call('XADD', KEYS[3], string.format('%.0f-0', tonumber(time[1]) * 1000000 + tonumber(time[2])), 'b', ARGV[2])
redis.call('SET', KEYS[2], ARGV[2])
return 1`;

const APPLY_SHA1 = createHash("sha1").update(APPLY).digest("hex");
const isMissingScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT");

const DELETE_BATCH = 1000;

/** How far the journal of `incarnation` is indexed. */
export interface Watermark {
  readonly incarnation: IncarnationId;
  /** How many batches Redis must have heard of, and how many with this one. */
  readonly expected: number;
  readonly batch: number;
  /** 0 leaves it where it is. */
  readonly sequence: number;
}

/**
 * The only door to Redis metadata. Per path one hash: `h` head, `p` path, and for each revision the
 * operation that made it; all paths in one
 * sorted set; request ids with an expiry; per incarnation how far its journal is indexed; a bounded log of changes for
 * watchers. `ready` names this building of the index and the life of Redis that it ended in. All of it is hints,
 * rebuilt from the volume by `recover/rebuild.ts` (I8).
 *
 * Invariant: when `h` names an operation, that operation and all before it on the path are indexed, request ids
 * included. Whoever commits on top of an operation that is not indexed yet, indexes that one first.
 */
export class Index {
  private readonly redis: Redis;
  private readonly prefix: string;
  private readonly gathering: Gathering;
  private connections = 0;
  /** Called when a change found the index missing: somebody has to rebuild it. */
  onMissing: () => void = () => undefined;

  constructor(
    url: string,
    volumeId: string,
    private readonly limits: IndexLimits,
    private readonly onError: (error: Error) => void,
    /** A simulation hands in a Redis of its own. */
    connect = (to: string, options: RedisOptions): Redis => new Redis(to, options),
  ) {
    this.prefix = `safefile:{${volumeId}}:`;
    this.redis = connect(url, {
      commandTimeout: limits.commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (attempt) => Math.min(50 * attempt, 1000),
    });
    this.gathering = new Gathering(this.redis);
    this.redis.on("error", onError);
    this.redis.on("connect", () => {
      this.connections += 1;
    });
  }

  private key(name: string): string {
    return this.prefix + name;
  }

  /** Runs `call`; whatever Redis fails with becomes INDEX_UNAVAILABLE. */
  private async ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw error instanceof IndexUnavailableError ? error : new IndexUnavailableError(error);
    }
  }

  private pipelined(pipeline: ReturnType<Redis["pipeline"]>): Promise<unknown[]> {
    this.gathering.begin();
    return this.ask(async () => {
      const results = (await pipeline.exec()) ?? [];
      const failed = results.find(([error]) => error);
      if (failed) throw failed[0];
      return results.map(([, value]) => value);
    });
  }

  /** Resolves once Redis has answered; for the start of a replica. */
  async connected(): Promise<void> {
    if (this.redis.status === "ready") return;
    await new Promise<void>((resolve) => this.redis.once("ready", resolve));
  }

  /** One round trip before a change. Throws INDEX_UNAVAILABLE while the index is missing or being rebuilt. */
  async lookUp(requestId: string, paths: readonly FilePath[]): Promise<Known> {
    // Heads before request ids, which are written the other way round: a head seen here has its request id below.
    const pipeline = this.redis.pipeline();
    for (const path of paths) pipeline.hget(this.key(`f:${pathHash(path)}`), "h");
    pipeline.mget(this.key(`r:${requestId}`), this.key("ready"));
    const answers = await this.pipelined(pipeline);
    const [earlier, ready] = answers.pop() as [string | null, string | null];
    const heads = answers as (string | null)[];
    if (!ready) {
      this.onMissing();
      throw new IndexUnavailableError();
    }
    const known = paths.flatMap((path, at) => {
      const operation = heads[at]?.split(" ")[1];
      return operation && isOperationId(operation) ? [[path, operation] as const] : [];
    });
    return { earlier: earlier && isOperationId(earlier) ? earlier : undefined, heads: new Map(known) };
  }

  async isReady(): Promise<boolean> {
    return (await this.ask(() => this.redis.get(this.key("ready")))) !== null;
  }

  /**
   * Records what was committed, then how far a journal is indexed. When Redis has forgotten batches that it was told,
   * returns the watermark, which was left where it is.
   */
  async apply(records: readonly OperationRecord[], watermark?: Watermark): Promise<number | undefined> {
    const { connections } = this;
    if (records.length > 0) await this.fill(records, this.limits.changesKeptMax);
    if (!watermark) return undefined;
    // Another connection may lead to a Redis that has restarted, and forgotten what was just written.
    if (this.connections !== connections) throw new IndexUnavailableError();
    // After all of them succeeded: commands sent together do not stop at the first that fails.
    const { incarnation, expected, batch, sequence } = watermark;
    const key = this.key("watermarks");
    const stands = await this.ask(() => this.redis.eval(SET_WATERMARK, 1, key, incarnation, expected, batch, sequence));
    return (stands as number) >= 0 ? (stands as number) : undefined;
  }

  /** As `apply`, for a rebuild: watchers are told of it as a whole, when it ends. */
  async reapply(records: readonly OperationRecord[]): Promise<void> {
    await this.fill(records, 0);
  }

  /** May be carried out in part, and then once more. */
  private async fill(records: readonly OperationRecord[], changesKeptMax: number): Promise<void> {
    try {
      await this.pipelined(this.filling(records, changesKeptMax, ["evalsha", APPLY_SHA1]));
    } catch (error) {
      if (!(error instanceof IndexUnavailableError && isMissingScript(error.cause))) throw error;
      await this.pipelined(this.filling(records, changesKeptMax, ["eval", APPLY]));
    }
  }

  private filling(
    records: readonly OperationRecord[],
    changesKeptMax: number,
    [command, script]: [command: "eval" | "evalsha", script: string],
  ): ReturnType<Redis["pipeline"]> {
    const pipeline = this.redis.pipeline();
    for (const record of records) {
      const expiresAtMs = record.timeMs + this.limits.requestIdKeepMs;
      pipeline.set(this.key(`r:${record.requestId}`), record.operation, "PXAT", expiresAtMs);
    }
    const changes = records.flatMap((record) => record.changes.map((change) => ({ record, change })));
    // Oldest first on each path, whatever the clocks of those who made them say: watchers get them in this order.
    for (const { record, change } of changes.sort((left, right) => left.change.revision - right.change.revision)) {
      const made = packOperation(record.operation);
      const fields = entriesOf(record, change).flatMap(({ revision }) => [String(revision), made]);
      pipeline.call(
        command,
        script,
        3,
        this.key(`f:${pathHash(change.path)}`),
        this.key("paths"),
        this.key("changes"),
        change.path,
        change.revision,
        record.operation,
        changesKeptMax,
        ...fields,
      );
    }
    return pipeline;
  }

  /** Reads the log of changes without waiting. */
  get changes(): ChangesReader {
    return new ChangesReader(this.redis, this.key("changes"), this.key("ready"), (call) => this.ask(call));
  }

  /** Reads the log of changes and may wait for more, over a connection of its own, which the caller closes. */
  followChanges(waitMsMax: number): ChangesTail {
    const redis = this.redis.duplicate({ commandTimeout: this.limits.commandTimeoutMs + waitMsMax });
    redis.on("error", this.onError);
    return new ChangesTail(redis, this.key("changes"), this.key("ready"), (call) => this.ask(call));
  }

  /** The newest revision up to which everything of `path` is indexed; 0 for none. */
  async indexedRevision(path: FilePath): Promise<number> {
    const head = await this.ask(() => this.redis.hget(this.key(`f:${pathHash(path)}`), "h"));
    return Number.parseInt(head ?? "0", 10);
  }

  /** Which life of the Redis process this is. */
  async run(): Promise<string> {
    return runOf(await this.ask(() => this.redis.info("server")));
  }

  /** In which life of Redis the index was built; undefined while it is missing. */
  async builtIn(): Promise<string | undefined> {
    return (await this.ask(() => this.redis.get(this.key("ready"))))?.split("/")[1];
  }

  /** Which connection to Redis commands go by now; another one may lead to a Redis that has forgotten some. */
  get connection(): number {
    return this.connections;
  }

  /**
   * Says that an incarnation which has ended is indexed up to `sequence`, unless what was indexed since `connection`
   * may be forgotten again: then throws INDEX_UNAVAILABLE.
   */
  async account(incarnation: IncarnationId, sequence: number, connection: number): Promise<void> {
    if (this.connections !== connection) throw new IndexUnavailableError();
    await this.apply([], { incarnation, expected: 0, batch: 0, sequence });
  }

  async watermark(incarnation: IncarnationId): Promise<number> {
    return Number((await this.ask(() => this.redis.hget(this.key("watermarks"), incarnation))) ?? 0);
  }

  /** Who made revisions `newest` down to `newest - count + 1`, as far as the index has them. */
  async revisions(path: FilePath, newest: number, count: number): Promise<Map<number, OperationId>> {
    const wanted = Array.from({ length: Math.min(count, newest) }, (_, back) => newest - back);
    if (wanted.length === 0) return new Map();
    const key = this.key(`f:${pathHash(path)}`);
    const packed = await this.ask(() => this.redis.hmgetBuffer(key, ...wanted.map(String)));
    const made = wanted.flatMap((revision, at) => {
      const bytes = packed[at];
      const operation = bytes && unpackOperation(bytes);
      return operation ? [[revision, operation] as const] : [];
    });
    return new Map(made);
  }

  /** Up to `count` managed paths after `after`, in byte order, that start with `prefix`. */
  async paths(prefix: string, after: string, count: number): Promise<FilePath[]> {
    const from = after > prefix || after === prefix ? `(${after}` : `[${prefix}`;
    const to = prefix === "" ? "+" : `[${prefix}\u{10ffff}`;
    const key = this.key("paths");
    return (await this.ask(() => this.redis.zrangebylex(key, from, to, "LIMIT", 0, count))) as FilePath[];
  }

  /** Tries to become the one who rebuilds, for `ms`; false when somebody else is at it. */
  async claimRebuild(claim: string, ms: number): Promise<boolean> {
    return (await this.ask(() => this.redis.set(this.key("rebuilding"), claim, "PX", ms, "NX"))) === "OK";
  }

  /** Goes on being the one who rebuilds; false when that was lost, with everything written so far. */
  async renewRebuild(claim: string, ms: number): Promise<boolean> {
    return (await this.ask(() => this.redis.eval(RENEW_REBUILD, 1, this.key("rebuilding"), claim, ms))) === 1;
  }

  /** Lets changes in again; false when the claim was lost, by a flush for one, and the rebuild has to start over. */
  async endRebuild(claim: string): Promise<boolean> {
    const keys = [this.key("rebuilding"), this.key("ready"), this.key("changes")] as const;
    const built = `${claim}/${await this.run()}`;
    return (await this.ask(() => this.redis.eval(END_REBUILD, 3, ...keys, claim, built))) === 1;
  }

  /** Forgets all revisions; until `endRebuild`, changes are refused. */
  async clear(): Promise<void> {
    await this.ask(() => this.redis.del(this.key("ready")));
    await this.ask(() => this.redis.del(this.key("paths"), this.key("watermarks")));
    let cursor = "0";
    do {
      const [next, keys] = await this.ask(() =>
        this.redis.scan(cursor, "MATCH", `${this.prefix.replace(/[[\]{}*?]/g, "\\$&")}[fr]:*`, "COUNT", DELETE_BATCH),
      );
      if (keys.length > 0) await this.ask(() => this.redis.unlink(...keys));
      cursor = next;
    } while (cursor !== "0");
  }

  /** Says that `incarnation` lives, for `ms`. */
  async beat(incarnation: IncarnationId, count: number, ms: number): Promise<void> {
    await this.ask(() => this.redis.set(this.key(`alive:${incarnation}`), count, "PX", ms));
  }

  async lastBeat(incarnation: IncarnationId): Promise<string | undefined> {
    return (await this.ask(() => this.redis.get(this.key(`alive:${incarnation}`)))) ?? undefined;
  }

  close(): void {
    this.redis.off("error", this.onError);
    this.redis.on("error", () => undefined);
    this.redis.disconnect();
  }
}
