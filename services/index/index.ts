import { Redis, type RedisOptions } from "ioredis";
import { IndexUnavailableError } from "../errors/index.js";
import { type IncarnationId, isOperationId, type OperationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import type { OperationRecord, PathChange } from "../model/record.js";
import { Gathering } from "../redis/gathering.js";
import { ChangesReader, ChangesTail, runOf } from "./changes.js";
import { entriesOf } from "./entries.js";
import { packOperation, unpackOperation } from "./entry.js";
import { ANNOUNCE, END_REBUILD, LOOK_UP, RENEW_REBUILD, type Script } from "./scripts.js";

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

const isMissingScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT");

/** Changes announced in one piece: Redis serves nobody else meanwhile. */
const ANNOUNCED_MAX = 256;
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

const NO_WATERMARK = { incarnation: "", expected: 0, batch: 0, sequence: 0 };

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

  private carryOut(script: Script, ...args: (string | number | Buffer)[]): Promise<unknown> {
    this.gathering.begin();
    return this.ask(async () => {
      try {
        return await this.redis.evalsha(script.sha1, 1, this.prefix, ...args);
      } catch (error) {
        if (!isMissingScript(error)) throw error;
        return await this.redis.eval(script.text, 1, this.prefix, ...args);
      }
    });
  }

  /** Resolves once Redis has answered; for the start of a replica. */
  async connected(): Promise<void> {
    if (this.redis.status === "ready") return;
    await new Promise<void>((resolve) => this.redis.once("ready", resolve));
  }

  /** One round trip before a change. Throws INDEX_UNAVAILABLE while the index is missing or being rebuilt. */
  async lookUp(requestId: string, paths: readonly FilePath[]): Promise<Known> {
    const hashes = paths.map((path) => pathHash(path));
    const [ready, earlier, ...heads] = (await this.carryOut(LOOK_UP, requestId, ...hashes)) as (string | null)[];
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
    const stands = await this.announce(records, this.limits.changesKeptMax, watermark);
    return stands >= 0 ? stands : undefined;
  }

  /** As `apply`, for a rebuild: watchers are told of it as a whole, when it ends. */
  async reapply(records: readonly OperationRecord[]): Promise<void> {
    await this.announce(records, 0, undefined);
  }

  /** Many changes go in several pieces, the watermark with the last. May be carried out in part, and then once more. */
  private async announce(
    records: readonly OperationRecord[],
    changesKeptMax: number,
    watermark: Watermark | undefined,
  ): Promise<number> {
    const { connections } = this;
    const { requestIdKeepMs } = this.limits;
    const requests = records.map(({ requestId, operation, timeMs }) => [
      requestId,
      operation,
      timeMs + requestIdKeepMs,
    ]);
    // Oldest first on each path, whatever the clocks of those who made them say: watchers get them in this order.
    const changes = records
      .flatMap((record) => record.changes.map((change) => ({ record, change })))
      .sort((left, right) => left.change.revision - right.change.revision)
      .map(({ record, change }) => announced(record, change));
    for (;;) {
      const piece = changes.splice(0, ANNOUNCED_MAX);
      const isLast = changes.length === 0;
      const { incarnation, expected, batch, sequence } = (isLast && watermark) || NO_WATERMARK;
      const told = [changesKeptMax, incarnation, expected, batch, sequence, requests.length];
      const stands = await this.carryOut(ANNOUNCE, ...told, ...requests.splice(0).flat(), ...piece.flat());
      if (isLast) return stands as number;
      // Another connection may lead to a Redis that has restarted, and forgotten what was just written.
      if (this.connections !== connections) throw new IndexUnavailableError();
    }
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
    return (await this.carryOut(RENEW_REBUILD, claim, ms)) === 1;
  }

  /** Lets changes in again; false when the claim was lost, by a flush for one, and the rebuild has to start over. */
  async endRebuild(claim: string): Promise<boolean> {
    return (await this.carryOut(END_REBUILD, claim, `${claim}/${await this.run()}`)) === 1;
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

/** A change as the script that announces it takes it. */
function announced(record: OperationRecord, change: PathChange): (string | number | Buffer)[] {
  const { operation } = record;
  const first = entriesOf(record, change)[0]?.revision ?? change.revision;
  return [pathHash(change.path), change.path, first, change.revision, operation, packOperation(operation)];
}
