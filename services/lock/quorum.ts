import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import Redlock, { type Lock } from "redlock";
import type { LeaseId } from "../model/operation.js";
import { type Entry, soloPath } from "./entry.js";
import { type Line, type LockServer, parseLine, type Reply, textOf, tuplesOf } from "./server.js";
import type { Target } from "./target.js";

/** Redlock's own allowance for clocks that run at different speeds: a hundredth of the term and two milliseconds. */
const DRIFT_FACTOR = 0.01;
const DRIFT_MS = 2;
const REACHED_STEP_MS = 5;

/** How long a lease that was asked for at `askedMs`, for `termMs`, may be relied on, by the monotonic clock. */
export const endOf = (askedMs: number, termMs: number): number => askedMs + termMs * (1 - DRIFT_FACTOR) - DRIFT_MS;

export interface Granted {
  readonly is: "granted";
  readonly lock: Lock;
  /** Until when it may be relied on, by the monotonic clock. */
  readonly endsMs: number;
  /** The lowest rank of those who wait for it already. */
  readonly wanted: number | undefined;
}

/** Why something is forgotten, as the servers tell those who watch; what comes after a dot is base64url. */
export type EndOf = "releases" | "leaves" | "breaks" | `circles.${string}`;

/** What a majority of the servers said. */
export type Vote =
  | Granted
  /** `blocker` is one of those in the way; `parties` says whether somebody holds while waiting elsewhere. */
  | { readonly is: "refused"; readonly blocker: Line | undefined; readonly parties: boolean }
  /** What it was to act under has ended. */
  | { readonly is: "lost" }
  /** A majority answers, but may not vote yet. */
  | { readonly is: "early"; readonly error: unknown }
  | { readonly is: "silent"; readonly error: unknown };

export interface Renewed {
  readonly lock: Lock;
  readonly endsMs: number;
  readonly wanted: number | undefined;
  readonly missing: Promise<readonly LockServer[]>;
}

/** Those whom the servers are to forget. */
interface Leaving {
  readonly told: string[];
  readonly known: PromiseWithResolvers<boolean>;
}

/** Whom the servers are told to forget at once: they answer nobody else meanwhile. */
const LEAVING_MAX = 64;

/** As the book takes it. */
const toldOf = (id: LeaseId, why: EndOf | "ends", targets: readonly Target[]): [string, string, string] => [
  id,
  why,
  JSON.stringify(tuplesOf(targets)),
];

interface Asking {
  readonly entry: Entry;
  /** As the book keeps it; not needed for a renewal. */
  readonly text: string;
  readonly waitMs: number;
  readonly replies: Reply[];
  /** Those that put nothing down, so that nothing has to be taken back there. */
  readonly without: Set<LockServer>;
}

const grants = (replies: readonly Reply[]): Reply[] => replies.filter(([result]) => result === 1);

/** The lowest rank of those who wait for what was granted, as far as the servers that granted it know. */
function wantedOf({ replies }: Asking): number | undefined {
  const ranks = grants(replies).flatMap(([, , , first]) => (first ? [Number(first)] : []));
  return ranks.length > 0 ? Math.min(...ranks) : undefined;
}

const VERBS = ["acquire", "extend", "release"] as const;
const verbOf = new Map(VERBS.map((verb) => [createHash("sha1").update(verb).digest("hex"), verb]));

/**
 * One vote of all lock servers at a time, by `redlock`: it asks all of them at once, counts, and takes back what a
 * minority granted. What each server does when it is asked is ours (script.ts); the keys and values that redlock would
 * use only name the request.
 */
export class Quorum {
  readonly majority: number;
  private readonly redlock: Redlock;
  private readonly asking = new Map<string, Asking>();
  private leaving: Leaving | undefined;
  private tellings = 0;

  constructor(
    readonly servers: readonly LockServer[],
    private readonly termMs: number,
  ) {
    this.majority = Math.floor(servers.length / 2) + 1;
    const voters = servers.map((server) => ({
      evalsha: (hash: string, _keys: number, [id = ""]: string[]) =>
        this.vote(server, verbOf.get(hash) as (typeof VERBS)[number], id as LeaseId),
    }));
    const scripts = { acquireScript: () => "acquire", extendScript: () => "extend", releaseScript: () => "release" };
    const settings = { retryCount: 0, driftFactor: DRIFT_FACTOR };
    this.redlock = new Redlock(voters as unknown as Redis[], settings, scripts);
    this.redlock.on("error", () => undefined); // each refusal is also counted
  }

  /** Asks once. Where it is refused, it waits in the queue for `waitMs` from now on; 0 does not wait. */
  async acquire(entry: Entry, waitMs: number): Promise<Vote> {
    this.tellLeaving();
    const askedMs = performance.now();
    const asking: Asking = { entry, text: textOf(entry), waitMs, replies: [], without: new Set() };
    this.asking.set(entry.id, asking);
    try {
      const lock = await this.redlock.acquire([entry.id], this.termMs, { retryCount: 0 });
      return { is: "granted", lock, endsMs: this.endOf(askedMs, asking), wanted: wantedOf(asking) };
    } catch (error) {
      return this.refusal(asking, error);
    } finally {
      this.asking.delete(entry.id);
    }
  }

  private refusal({ entry, replies }: Asking, error: unknown): Vote {
    const ended = replies.filter(([result]) => result === -2).length;
    if (this.servers.length - ended < this.majority) return { is: "lost" };
    // Two that refuse decide before the third has answered: what counts is who could have.
    const voting = this.servers.filter(({ isVoting }) => isVoting).length;
    if (voting < this.majority) {
      const answering = this.servers.filter(({ isConnected }) => isConnected).length;
      return { is: answering >= this.majority ? "early" : "silent", error };
    }
    for (const [result, , id, text, parties] of replies)
      if (result === 0 && id !== entry.under)
        return { is: "refused", blocker: parseLine(String(id), String(text), 0), parties: Number(parties) > 0 };
    return { is: "refused", blocker: undefined, parties: false };
  }

  /**
   * Begins the term anew. Returns until when it may be relied on, the lowest rank that waits, and, once all have answered,
   * who did not have it; throws when it is over.
   */
  async renew(entry: Entry, lock: Lock): Promise<Renewed> {
    const askedMs = performance.now();
    const asking: Asking = { entry, text: "", waitMs: 0, replies: [], without: new Set() };
    this.asking.set(entry.id, asking);
    try {
      lock.expiration = Number.POSITIVE_INFINITY; // by the wall clock; ours is the monotonic one
      const renewed = await this.redlock.extend(lock, this.termMs, { retryCount: 0 });
      const missing = Promise.all(renewed.attempts).then(() => [...asking.without]);
      return { lock: renewed, endsMs: this.endOf(askedMs, asking), wanted: wantedOf(asking), missing };
    } finally {
      this.asking.delete(entry.id);
    }
  }

  /**
   * Puts it down where it was missing: at servers that were busy with another request, or restarted since. Else one such
   * server after the other would leave it with a minority. It counts from the next renewal on.
   */
  async mend(entry: Entry, missing: readonly LockServer[]): Promise<void> {
    const text = textOf(entry);
    await Promise.allSettled(missing.map((server) => server.ask("mend", entry.id, text, this.termMs)));
  }

  /** Whether some server granted what no majority has decided on yet. */
  get isGranting(): boolean {
    return [...this.asking.values()].some(({ replies }) => replies.some(([result]) => result === 1));
  }

  /** What acts under another one ends with it. */
  private endOf(askedMs: number, { entry, replies }: Asking): number {
    const ends =
      entry.under === ""
        ? []
        : grants(replies).map(([, , remainingMs]) => endOf(askedMs, Math.max(0, Number(remainingMs))));
    return Math.min(endOf(askedMs, this.termMs), ...ends);
  }

  private async vote(server: LockServer, verb: (typeof VERBS)[number], id: LeaseId): Promise<number> {
    const asking = this.asking.get(id);
    if (!asking) return 0;
    const { entry, waitMs, replies, without } = asking;
    if (verb === "release") {
      if (without.has(server)) return 1;
      const [result] =
        waitMs > 0
          ? await server.ask("yield", id, waitMs)
          : await server.ask("release", ...toldOf(id, "ends", entry.targets));
      return result;
    }
    // Then it is not even sent, and what nobody answers would pile up.
    if (verb === "acquire" && !server.isVoting) without.add(server);
    const reply =
      verb === "acquire"
        ? await server.ask("acquire", id, asking.text, this.termMs, waitMs, soloPath(entry) ?? "")
        : await server.ask("renew", id, this.termMs);
    replies.push(reply);
    if (reply[0] !== 1) without.add(server);
    return reply[0] === 1 ? 1 : 0;
  }

  /**
   * Forgets `id` everywhere, whether it held or waited; those of one turn together, before anything else is asked. Whether
   * a majority knows by now.
   */
  release(id: LeaseId, targets: readonly Target[], why: EndOf): Promise<boolean> {
    if (!this.leaving) {
      this.leaving = { told: [], known: Promise.withResolvers() };
      queueMicrotask(() => this.tellLeaving());
    }
    const { told, known } = this.leaving;
    told.push(...toldOf(id, why, targets));
    if (told.length >= LEAVING_MAX * 3) this.tellLeaving();
    return known.promise;
  }

  private tellLeaving(): void {
    const { leaving } = this;
    if (!leaving) return;
    this.leaving = undefined;
    this.tellings += 1;
    void Promise.allSettled(this.servers.map((server) => server.ask("release", ...leaving.told))).then((answers) => {
      this.tellings -= 1;
      leaving.known.resolve(answers.filter(({ status }) => status === "fulfilled").length >= this.majority);
    });
  }

  /** Whether something was released that the servers have not answered yet. */
  get isReleasing(): boolean {
    return this.leaving !== undefined || this.tellings > 0;
  }

  /** Resolves once a majority of the servers is so. */
  async reached(isSo: (server: LockServer) => boolean): Promise<void> {
    while (this.servers.filter(isSo).length < this.majority)
      await new Promise((resolve) => setTimeout(resolve, REACHED_STEP_MS));
  }

  /** Microseconds of the servers' clocks: the one in the middle, so that one that steps moves nothing. */
  nowUs(): number {
    const offsets = this.servers.flatMap(({ offsetUs }) => (offsetUs === undefined ? [] : [offsetUs]));
    offsets.sort((left, right) => left - right);
    const offset = offsets[Math.floor(offsets.length / 2)] ?? performance.timeOrigin * 1000;
    return Math.round(offset + performance.now() * 1000);
  }
}
