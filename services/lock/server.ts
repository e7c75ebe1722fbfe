import { createHash } from "node:crypto";
import type { Redis, RedisOptions } from "ioredis";
import type { LeaseId } from "../model/operation.js";
import { Gathering } from "../redis/gathering.js";
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

/** Who is told of what happens in the book of a server. */
export interface EventListener {
  /** `<what> <id> <entry>`, as the book says it. */
  event(server: LockServer, text: string): void;
  /** Some may have been missed. */
  missed(server: LockServer): void;
}

export type Verb = "acquire" | "renew" | "yield" | "release" | "install" | "look" | "list" | "bless" | "mend";
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
  private silentFromMs = 0;
  private connections = 0;
  private blessing: Promise<void> | undefined;
  private readonly eventListeners = new Set<EventListener>();
  private isClosed = false;
  private readonly clock = new Clock();
  /** The time for which it may not vote, by name, and when that was first seen by the monotonic clock. */
  private waiting = { since: "", fromMs: 0 };
  private readonly gathering: Gathering;

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
    // One that is away for long when we begin must be listened to all the same once it is back.
    this.subscriber = connect(url, { maxRetriesPerRequest: null }).on("error", onError);
    this.subscriber.on("message", (channel: string, message: string) => {
      if (channel === `${this.prefix}e`) for (const each of this.eventListeners) each.event(this, message);
      else this.hear(message);
    });
    this.gathering = new Gathering(this.client);
    this.subscriber.on("close", () => {
      for (const each of this.eventListeners) each.missed(this);
    });
    this.subscriber.subscribe(`${this.prefix}c`).catch(() => undefined); // waiters look again by themselves meanwhile
  }

  get isConnected(): boolean {
    return this.client.status === "ready" && !this.silent;
  }

  /** Whether there is no connection on which anything could pile up. */
  get isLetGo(): boolean {
    return this.client.status !== "ready";
  }

  /** Whether its vote counts now. */
  get isVoting(): boolean {
    return this.votingRun !== undefined && this.isConnected;
  }

  /** Its clock less our monotonic one, in microseconds. */
  get offsetUs(): number | undefined {
    return this.clock.offsetUs;
  }

  private hear(message: string): void {
    const [what, id, rank] = message.split(" ");
    if (what === "go") this.listener.go(this, id as LeaseId);
    if (what === "want") this.listener.want(id as LeaseId, Number(rank));
  }

  /** Tells `listener` of grants, waits and ends from now on. Returns what ends that. */
  async listen(listener: EventListener): Promise<() => Promise<void>> {
    this.eventListeners.add(listener);
    if (this.eventListeners.size === 1) await this.subscriber.subscribe(`${this.prefix}e`).catch(() => undefined);
    return async () => {
      this.eventListeners.delete(listener);
      if (this.eventListeners.size === 0) await this.subscriber.unsubscribe(`${this.prefix}e`).catch(() => undefined);
    };
  }

  /** Carries out one verb. Throws SilentError or NotVotingError. */
  async ask(verb: Verb, ...args: (string | number)[]): Promise<Reply> {
    if (verb === "acquire" || verb === "mend") {
      if (this.silent) throw new SilentError(`${this.url} does not answer`);
      if (!this.votingRun) throw new NotVotingError(`${this.url} may not vote yet`);
      args.unshift(this.votingRun);
    }
    const askedMs = performance.now();
    const reply = await this.evaluate(verb, args);
    this.clock.read(askedMs, reply[1], performance.now());
    if (reply[0] === -1) {
      this.votingRun = undefined;
      this.bless();
      throw new NotVotingError(`${this.url} has forgotten what was granted`);
    }
    return reply;
  }

  private async evaluate(verb: Verb, args: (string | number)[]): Promise<Reply> {
    this.gathering.begin();
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
      this.silentFromMs = performance.now();
      this.probe();
    }
    return new SilentError(`${this.url} does not answer`, { cause: error });
  }

  private probe(): void {
    if (this.isClosed || !this.silent) return;
    // All that was put down there is over by now; what is still to be sent would only pile up.
    if (this.client.status === "ready" && performance.now() - this.silentFromMs > this.limits.leaseMs) {
      this.silentFromMs = performance.now();
      this.client.disconnect(true);
    }
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
    let isFirst = true;
    while (!this.isClosed && this.client.status === "ready") {
      try {
        if (await this.isBlessed(isFirst)) return;
        isFirst = false;
      } catch (error) {
        this.onError(error as Error); // it may have been silent only for a moment
      }
      await new Promise((resolve) => setTimeout(resolve, BLESS_RETRY_MS).unref());
    }
  }

  /**
   * Whether it votes now. The term for which it does not is measured by our monotonic clock, from when we first saw it in
   * this life: a clock that is set right soon after a restart would end it early.
   */
  private async isBlessed(isFirst: boolean): Promise<boolean> {
    const { connections } = this;
    const run = runOf(await this.client.info("server"));
    let [isReady, , since] = await this.ask("bless", run, "look");
    if (isReady === 0) {
      if (this.waiting.since !== since) this.waiting = { since: String(since), fromMs: performance.now() };
      // At once: what outlives its memory may be used and renewed before it votes again.
      if (isFirst) await this.safety.restore(this);
      const isOver = performance.now() - this.waiting.fromMs >= this.limits.leaseMs;
      if (!isOver && !(await this.safety.isNothingGranted())) return false;
      await this.safety.restore(this);
      [isReady] = await this.ask("bless", run, "vote");
    }
    // Another connection may lead to another life of the server.
    if (isReady !== 1 || this.connections !== connections) return false;
    this.votingRun = run;
    return true;
  }

  close(): void {
    this.isClosed = true;
    for (const client of [this.client, this.subscriber]) {
      client.removeAllListeners("error").on("error", () => undefined);
      client.disconnect();
    }
  }
}

/**
 * How far a server's clock is from our monotonic one: each answer says between which bounds, and what all of them agree
 * on is kept, so that a slow answer spoils nothing. When they contradict each other, the clock was set: the last one counts.
 */
class Clock {
  private fromUs = Number.NEGATIVE_INFINITY;
  private toUs = Number.POSITIVE_INFINITY;

  read(askedMs: number, serverUs: number, answeredMs: number): void {
    const [fromUs, toUs] = [serverUs - answeredMs * 1000, serverUs - askedMs * 1000];
    this.fromUs = Math.max(this.fromUs, fromUs);
    this.toUs = Math.min(this.toUs, toUs);
    if (this.fromUs > this.toUs) [this.fromUs, this.toUs] = [fromUs, toUs];
  }

  get offsetUs(): number | undefined {
    return this.toUs === Number.POSITIVE_INFINITY ? undefined : (this.fromUs + this.toUs) / 2;
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
