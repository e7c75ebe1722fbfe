import { isReason, type Revision, type SafefileClient, SafefileError } from "@safefile/client";
import { contentOf } from "../../test/crash/content.js";
import type { Dice } from "../../test/lock/dice.js";
import type { Book } from "./book.js";
import type { Answer, Caller, Options } from "./caller.js";
import { piecesIn, sha256Of } from "./content.js";
import type { Meter } from "./meter.js";
import { SharedPath } from "./shared-path.js";
import { describe, type Told, toldBy } from "./told.js";
import { Violation } from "./violation.js";

const COUNTERS = 4;
const GUARDED = 3;
const COUNTER_BYTES = 1_024;
/** A log is appended to for so long, then another one is begun: each append writes all of it. */
const LOG_MS = 20_000;
const LOG_PIECE_BYTES = 256;
const LOCK_TTL_MS = 10_000;
const LOCK_WAIT_MS = 20_000;
const GUARDED_WRITES_MAX = 4;

/** What is read of a shared path. */
interface Look {
  readonly value: number;
  /** The fencing token under which it was written; 0 where there are none. */
  readonly token: number;
  readonly id: string;
}

/** The shared paths, as one process knows them. */
export type SharedPaths = Map<string, SharedPath>;

/** Changes paths that all workers of all processes change, each in a way in which no change can hide. */
export class Sharer {
  private changes = 0;

  constructor(
    private readonly worker: string,
    private readonly shared: SharedPaths,
    private readonly caller: Caller,
    private readonly dice: Dice,
    private readonly meter: Meter,
    private readonly book: Book,
  ) {}

  /** Reads a value and writes the next, if nobody was faster (I3). */
  async count(): Promise<void> {
    const shared = this.at(`shared/counter-${this.dice.below(COUNTERS)}`);
    const { value } = await this.look(shared);
    await this.write("count", shared, value, 0, { ifRevision: value });
  }

  /** Appends to a log of pieces of one size, so where it lands says how many went before (I5). */
  async log(): Promise<void> {
    const shared = this.at(`shared/log-${Math.floor(Date.now() / LOG_MS)}`);
    const id = this.nextId();
    const answer = await this.caller.change(id, "write", async (client, options) => {
      const { result, offset } = await client.append(shared.path, contentOf(id, LOG_PIECE_BYTES), options);
      return { revision: result.revision, offset };
    });
    const told = this.answered("log", shared, id, answer, (result) => result.revision);
    if (!told || answer.outcome !== "COMMITTED") return;
    const { offset } = answer.result;
    if (offset !== (told.revision - 1) * LOG_PIECE_BYTES)
      throw Violation.at(shared.path, `${describe(told)} appended at ${offset}`, "that is not behind all before it");
    if (this.dice.chance(0.2)) await this.look(shared);
  }

  /** Writes several times under a lock and nothing else: whoever reads in between must see what it wrote itself. */
  async guard(): Promise<void> {
    const shared = this.at(`shared/guarded-${this.dice.below(GUARDED)}`);
    // The lock is renewed through a connection of its own, to any replica.
    using client = this.caller.connect();
    const hold = () =>
      client.locks.hold(shared.path, { ttlMs: LOCK_TTL_MS, lockWaitMs: LOCK_WAIT_MS, owner: this.worker });
    const taken = await this.caller.read(hold, "lock").catch(refusedLock);
    this.meter.ended("lock", taken instanceof SafefileError ? "NOT_COMMITTED" : "held");
    if (taken instanceof SafefileError) return;
    await using held = taken;
    const token = Number(held.fencingToken);
    const before = await this.look(shared);
    if (before.token >= token)
      throw Violation.at(shared.path, `written under token ${before.token}`, `token ${token} was given out later`);
    let { value } = before;
    for (let left = 1 + this.dice.below(GUARDED_WRITES_MAX); left > 0 && !held.signal.aborted; left--) {
      const told = await this.write("guarded write", shared, value, token, { lockId: held.lockId });
      if (!told) return;
      value += 1;
      const seen = await this.look(shared);
      if (seen.value !== value || seen.id !== told.id)
        if (seen.token <= token)
          // Its lock may be over by now; then it may be somebody else's, with a later token.
          throw Violation.at(
            shared.path,
            `${describe(told)} under token ${token}`,
            `value ${seen.value} by ${seen.id}`,
          );
    }
  }

  private at(path: string): SharedPath {
    const shared = this.shared.get(path) ?? new SharedPath(path);
    this.shared.set(path, shared);
    return shared;
  }

  private nextId(): string {
    this.changes += 1;
    return `${this.worker}.s${this.changes}`;
  }

  /** Writes the value after `value`. Undefined when that was not acknowledged. */
  private async write(
    operation: string,
    shared: SharedPath,
    value: number,
    token: number,
    how: { ifRevision?: number; lockId?: string },
  ): Promise<Told | undefined> {
    const id = this.nextId();
    const bytes = contentOf(`${value + 1}:${token}:${id}`, COUNTER_BYTES);
    const call = async (client: SafefileClient, options: Options) => {
      const labels = { ...options.labels, value: `${value + 1}`, token: `${token}` };
      return (await client.write(shared.path, bytes, { ...options, ...how, labels })).revision;
    };
    const answer = await this.caller.change(id, "write", call);
    const told = this.answered(operation, shared, id, answer, (revision) => revision);
    if (told && (told.revision !== value + 1 || told.sha256 !== sha256Of(bytes)))
      throw Violation.at(shared.path, `revision ${value} before ${id}, SHA-256 ${sha256Of(bytes)}`, describe(told));
    return told;
  }

  private answered<T>(
    operation: string,
    shared: SharedPath,
    id: string,
    answer: Answer<T>,
    revisionIn: (result: T) => Revision | undefined,
  ): Told | undefined {
    this.meter.ended(operation, answer.outcome);
    const revision = answer.outcome === "COMMITTED" ? revisionIn(answer.result) : undefined;
    if (answer.outcome !== "COMMITTED" || !revision) {
      const { outcome, reason } = { reason: "", ...answer };
      this.book.note(shared.path, `${outcome} ${reason} ${id}`);
      if (outcome === "UNKNOWN") shared.open.push(id);
      return undefined;
    }
    const told = toldBy(revision);
    this.book.note(shared.path, `COMMITTED ${describe(told)}`);
    if (told.id !== id) throw Violation.at(shared.path, `${id} was asked for`, describe(told));
    shared.enter(told);
    return told;
  }

  /** What is there now: whole, of the value that its revision says, and of no lower one than anybody here has seen. */
  private async look(shared: SharedPath): Promise<Look> {
    const { path, seen } = shared;
    const found = await this.caller
      .read((client) => client.read(path))
      .catch((error: unknown) => {
        if (isReason(error, "PATH_NOT_FOUND")) return undefined;
        throw error;
      });
    this.meter.ended("read", "answered");
    const names = found ? piecesIn(path, found.bytes) : [];
    const isLog = path.includes("/log-");
    const [value, token, id] = isLog ? [names.length, 0, ""] : (names.at(-1) ?? "0:0:").split(":");
    const look = { value: Number(value), token: Number(token), id: id ?? "" };
    if (new Set(names).size < names.length)
      throw Violation.at(path, "each piece was appended once (I5)", names.join(" "));
    const revision = Number(found?.file.revision ?? 0);
    // 0 also while it is being replaced: which revision it is can be told in a moment.
    if (revision > 0 && revision !== look.value)
      throw Violation.at(
        path,
        `revision n holds the value n`,
        `revision ${revision} holds ${look.value} by ${look.id}`,
      );
    if (look.value < seen)
      throw Violation.at(path, `the value ${seen}`, `the value ${look.value} by ${look.id}, read later`);
    shared.seen = Math.max(shared.seen, look.value);
    return look;
  }
}

/** Locks are refused when too many want them, or when it is not known who holds them. */
function refusedLock(error: unknown): SafefileError {
  const refused = ["LOCK_TIMEOUT", "LOCK_LOST", "LOCK_UNAVAILABLE", "LOCK_FENCED", "LIMIT_EXCEEDED"] as const;
  if (refused.some((reason) => isReason(error, reason))) return error as SafefileError;
  throw error;
}
