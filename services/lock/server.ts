import { createHash } from "node:crypto";
import type { Redis, RedisOptions } from "ioredis";
import type { LeaseId } from "../model/operation.js";
import type { Entry, Owner } from "./entry.js";
import { BOOK } from "./script.js";
import type { Mode, Scope, Target } from "./target.js";

export interface ServerLimits {
  /** Term of a lease: as long as a server that forgot everything keeps from voting. */
  readonly leaseMs: number;
  /** How long a command may take before this server counts as silent. */
  readonly commandTimeoutMs: number;
}

/** What servers tell those who listen. */
export interface Listener {
  /** It may be the turn of `id` there. */
  go(server: LockServer, id: LeaseId): void;
  /** Somebody of rank `rank` waits for what `id` holds. */
  want(id: LeaseId, rank: number): void;
}

/** What a server needs to know before it may vote again after it forgot what was granted. */
export interface Safety {
  /** Whether no lease can be out, so that there is nothing that it could have forgotten. */
  isNothingGranted(): Promise<boolean>;
  /** Puts down again what must outlive a server's memory. */
  restore(server: LockServer): Promise<void>;
}

/** It answers, but may not vote yet: it may have forgotten leases that others rely on. */
export class NotVotingError extends Error {}
/** It does not answer. */
export class SilentError extends Error {}

export type Verb = "acquire" | "renew" | "yield" | "release" | "install" | "look" | "list" | "bless";
/** A number that says what came of it, the server's clock in microseconds, and what the verb returns. */
export type Reply = readonly [result: number, nowUs: number, ...rest: unknown[]];

export interface Line {
  readonly entry: Entry;
  readonly state: "holding" | "waiting";
  readonly remainingMs: number;
}

const SHA1 = createHash("sha1").update(BOOK).digest("hex");
const BLESS_RETRY_MS = 50;
const PROBE_MS = 100;

/** One lock server: a connection that asks, one that listens, and whether it may vote. */
export class LockServer {
  private readonly client: Redis;
  private readonly subscriber: Redis;
  private readonly prefix: string;
  /** The life of the server in which it may vote; undefined while it may not. */
  private votingRun: string | undefined;
  private silent = false;
  private connections = 0;
  private blessing: Promise<void> | undefined;
  private isClosed = false;
  /** Its clock less our monotonic one, in microseconds, by the last answer. */
  offsetUs: number | undefined;

  constructor(
    readonly url: string,
    volumeId: string,
    private readonly limits: ServerLimits,
    private readonly safety: Safety,
    private readonly listener: Listener,
    private readonly onError: (error: Error) => void,
    connect: (to: string, options: RedisOptions) => Redis,
  ) {
    this.prefix = `safefile:{${volumeId}}:lock:`;
    // A frozen server must cost one timeout, not a hang: no queue, no resending, no retries inside the client.
    this.client = connect(url, {
      commandTimeout: limits.commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (attempt: number) => Math.min(50 * attempt, 1000),
    }).on("error", onError);
    const begin = (): void => {
      this.connections += 1;
      this.silent = false;
      this.votingRun = undefined;
      this.bless();
    };
    if (this.client.status === "ready") begin();
    this.client.on("ready", begin);
    this.subscriber = connect(url, {}).on("error", onError);
    this.subscriber.on("message", (_channel, message: string) => this.hear(message));
    this.subscriber.subscribe(`${this.prefix}c`).catch(() => undefined); // waiters look again by themselves meanwhile
  }

  get isConnected(): boolean {
    return this.client.status === "ready" && !this.silent;
  }

  /** Whether its vote counts now. */
  get isVoting(): boolean {
    return this.votingRun !== undefined && !this.silent;
  }

  private hear(message: string): void {
    const [what, id, rank] = message.split(" ");
    if (what === "go") this.listener.go(this, id as LeaseId);
    if (what === "want") this.listener.want(id as LeaseId, Number(rank));
  }

  /** Carries out one verb. Throws SilentError or NotVotingError. */
  async ask(verb: Verb, ...args: (string | number)[]): Promise<Reply> {
    if (verb === "acquire") {
      if (this.silent) throw new SilentError(`${this.url} does not answer`);
      if (!this.votingRun) throw new NotVotingError(`${this.url} may not vote yet`);
      args.unshift(this.votingRun);
    }
    const askedMs = performance.now();
    const reply = await this.evaluate(verb, args);
    this.offsetUs = reply[1] - (askedMs + performance.now()) * 500;
    if (verb === "acquire" && reply[0] === -1) {
      this.votingRun = undefined;
      this.bless();
      throw new NotVotingError(`${this.url} has forgotten what was granted`);
    }
    return reply;
  }

  private async evaluate(verb: Verb, args: (string | number)[]): Promise<Reply> {
    try {
      return (await this.client.evalsha(SHA1, 1, this.prefix, verb, ...args)) as unknown as Reply;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw this.noteSilence(error);
    }
    try {
      return (await this.client.eval(BOOK, 1, this.prefix, verb, ...args)) as unknown as Reply;
    } catch (error) {
      throw this.noteSilence(error);
    }
  }

  /** One that is silent is asked nothing that anybody waits for, until it has answered once. */
  private noteSilence(error: unknown): unknown {
    const isTimeout = error instanceof Error && /timed out/.test(error.message);
    if (isTimeout && !this.silent) {
      this.silent = true;
      this.probe();
    }
    return new SilentError(`${this.url} does not answer`, { cause: error });
  }

  private probe(): void {
    if (this.isClosed || !this.silent) return;
    this.client
      .ping()
      .then(() => {
        this.silent = false;
      })
      .catch(() => setTimeout(() => this.probe(), PROBE_MS).unref());
  }

  /** Lets it vote as soon as that is safe: when all leases that it may have forgotten are over, or none was out. */
  private bless(): void {
    this.blessing ??= this.untilBlessed()
      .catch((error: Error) => this.onError(error))
      .finally(() => {
        this.blessing = undefined;
      });
  }

  private async untilBlessed(): Promise<void> {
    while (!this.isClosed && this.client.status === "ready") {
      const { connections } = this;
      const run = runOf(await this.client.info("server"));
      let [isReady, , leftMs] = await this.ask("bless", run, "look", this.limits.leaseMs);
      if (isReady === 0 && (Number(leftMs) <= 0 || (await this.safety.isNothingGranted()))) {
        await this.safety.restore(this);
        [isReady, , leftMs] = await this.ask("bless", run, "vote", this.limits.leaseMs);
      }
      // Another connection may lead to another life of the server.
      if (isReady === 1 && this.connections === connections) {
        this.votingRun = run;
        return;
      }
      const waitMs = Math.min(BLESS_RETRY_MS, Math.max(1, Number(leftMs)));
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    }
  }

  close(): void {
    this.isClosed = true;
    for (const client of [this.client, this.subscriber]) {
      client.removeAllListeners("error").on("error", () => undefined);
      client.disconnect();
    }
  }
}

const runOf = (info: unknown): string => /^run_id:([0-9a-f]{40})\r?$/m.exec(String(info))?.[1] ?? "";

/** How an entry is written in the book. */
export function textOf({ targets, rank, under, owner }: Entry): string {
  return JSON.stringify({ r: rank, u: under, p: owner.party, t: tuplesOf(targets), o: owner });
}

export const tuplesOf = (targets: readonly Target[]): [string, string, string][] =>
  targets.map(({ path, scope, mode }) => [path, scope === "subtree" ? "s" : "p", mode === "shared" ? "s" : "x"]);

/** Undefined for what was not written by us. */
export function parseLine(id: string, text: string, remainingMs: number): Line | undefined {
  try {
    const { r, u, t, o } = JSON.parse(text.slice(1)) as { r: number; u: LeaseId; t: string[][]; o: Owner };
    const targets = t.map(([path, scope, mode]) => ({
      path: path as Target["path"],
      scope: (scope === "s" ? "subtree" : "path") as Scope,
      mode: (mode === "s" ? "shared" : "exclusive") as Mode,
    }));
    const entry = { id: id as LeaseId, targets, rank: r, under: u, owner: o };
    return { entry, state: text.startsWith("h") ? "holding" : "waiting", remainingMs };
  } catch {
    return undefined;
  }
}
