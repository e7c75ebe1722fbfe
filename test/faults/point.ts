import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isReason, type SafefileClient, SafefileError } from "@safefile/client";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { isFinished, parseBaton } from "../../services/protocol/baton.js";
import { batonDirectory } from "../../services/protocol/names.js";
import { contentOf } from "../crash/content.js";
import { type Call, describe, endsIncarnation, type Fault, suits } from "./fault.js";
import { bytesOf, isHeld, look, prepare, show } from "./held.js";
import type { Operation } from "./operations.js";
import type { Site, Victim } from "./site.js";

/** A replica that could not keep a promise leaves with this (I10). */
const EXIT_LEFT = 70;
const SETTLE_MS_MAX = 30_000;
const FULL_CODES = ["ENOSPC", "EDQUOT", "EROFS"];

interface Revision {
  readonly revision: number;
  readonly operation: string;
  /** Undefined for a delete. */
  readonly bytes: Buffer | undefined;
}

/** What the caller of an operation was told. */
type Told = "COMMITTED" | "NOT_COMMITTED" | "UNKNOWN";

export interface PointResult {
  /** What the operation called, while it was armed. Empty when the process died. */
  readonly calls: readonly Call[];
  readonly hit: boolean;
  readonly told: Told;
  /** Whether the victim is still there. */
  readonly lives: boolean;
}

/**
 * Does `fault` to one `operation` at a victim, and holds everything that follows against the promises: what the caller
 * was told is true, the files are wholly as before or as after, the request ends in one outcome, nothing is left of it.
 * `calls` are those of an undisturbed run, for messages.
 */
export async function runPoint(
  site: Site,
  victim: Victim,
  directory: string,
  operation: Operation,
  fault: Fault,
  calls: readonly Call[],
): Promise<PointResult> {
  const point = new Point(site, victim, directory, operation, fault);
  try {
    return await point.run();
  } catch (error) {
    const log = victim.replica.logs().split("\n").slice(-6).join("\n");
    throw new Error(
      `${operation.name}, ${describe(fault, calls)}, in ${directory}: ${(error as Error).message}\n${log}`,
      {
        cause: error,
      },
    );
  }
}

class Point {
  private readonly names: readonly string[];
  private readonly requestId: string;

  constructor(
    private readonly site: Site,
    private readonly victim: Victim,
    private readonly directory: string,
    private readonly operation: Operation,
    private readonly fault: Fault,
  ) {
    this.names = [...new Set([...Object.keys(operation.before), ...Object.keys(operation.after)])];
    this.requestId = `request-${directory}`;
  }

  async run(): Promise<PointResult> {
    const { site, victim, directory, operation, fault } = this;
    await prepare(site, directory, operation);
    const before = await this.histories();
    await victim.arm(fault);
    const told = await this.act(victim.client);
    if (FULL_CODES.includes("code" in fault ? fault.code : "")) await this.checkReads(told);
    const state = await victim.disarm().catch(() => undefined);
    const isHit = (state?.hits ?? 1) > 0;
    const isGone = state === undefined || (fault.do === "kill" ? isHit : await this.checkEnd(state.calls));
    if (isGone) await this.checkExit();
    await this.checkTold(told);
    if (isGone) await this.checkSettled();
    // Where it lives, the victim itself goes on without a restart.
    const client = isGone ? site.survivor : victim.client;
    await this.checkRepeated(client, told);
    await this.checkHistories(before);
    await this.checkFurther(client);
    return { calls: state?.calls ?? [], hit: isHit, told, lives: !isGone };
  }

  private async act(client: SafefileClient): Promise<Told> {
    try {
      await this.operation.act(client, this.directory, this.requestId);
      return "COMMITTED";
    } catch (error) {
      if (!(error instanceof SafefileError)) throw error;
      assert(error.outcome, `a change failed without saying what became of the file: ${error.message}`);
      const isLost = error.reason === undefined && error.outcome === "UNKNOWN";
      // Killed by what it does beside, before the call had a connection.
      const isUnsent = this.fault.do === "kill" && error.status === "UNAVAILABLE" && error.outcome === "NOT_COMMITTED";
      assert(isLost || isUnsent || error.reason, `no reason of the catalogue: ${error.message}`);
      assert.notEqual(error.outcome, "COMMITTED", "an error for a change that is committed");
      return error.outcome;
    }
  }

  /** I11: while there is no room, what is there can be read. */
  private async checkReads(told: Told): Promise<void> {
    const { victim, directory, operation } = this;
    if (told !== "NOT_COMMITTED") return;
    for (const [name, held] of Object.entries(operation.before)) {
      if (typeof held !== "object") continue;
      const { bytes } = await victim.client.read(`${directory}/${name}`);
      assert(held.bytes.equals(Buffer.from(bytes)), `I11: ${name} does not read as it was`);
    }
  }

  /** I10: after a failed flush the victim has to leave. True when it does. */
  private async checkEnd(calls: readonly Call[]): Promise<boolean> {
    const { fault, victim } = this;
    const failed = fault.do === "fail" ? hitCalls(fault, calls) : [];
    if (!failed.some((call) => endsIncarnation(fault, call))) return false;
    const exit = await Promise.race([victim.replica.exited, sleep(SETTLE_MS_MAX, undefined, { ref: false })]);
    assert(exit, "I10: a replica goes on after a flush or close that failed");
    return true;
  }

  private async checkExit(): Promise<void> {
    const { fault, victim } = this;
    const exit = await Promise.race([victim.replica.exited, sleep(SETTLE_MS_MAX, undefined, { ref: false })]);
    assert(exit, "the victim neither answers nor ends");
    if (fault.do === "kill") assert.equal(exit.signal, "SIGKILL");
    else assert.equal(exit.code, EXIT_LEFT, `I10: the replica ended with ${JSON.stringify(exit)}`);
  }

  /** I1, I2, I6: the files are as before or as after, and as the caller was told. */
  private async checkTold(told: Told): Promise<void> {
    const { site, directory, operation, names } = this;
    let found = await look(site, directory, names);
    // What is decided is committed; while the volume answers nothing else, it is seen as soon as the volume does again.
    const untilMs = performance.now() + ("lasting" in this.fault && this.fault.lasting ? SETTLE_MS_MAX : 0);
    while (told === "COMMITTED" && !isHeld(found, operation.after) && performance.now() < untilMs) {
      await sleep(20);
      found = await look(site, directory, names);
    }
    const wasMade = isHeld(found, operation.after);
    const wasNot = isHeld(found, operation.before);
    // Several names are published one after the other; settling brings the rest.
    const isOne = names.length === 1;
    if (isOne) assert(wasMade || wasNot, `I2: neither as before nor as after: ${show(found)}`);
    if (told === "NOT_COMMITTED") assert(wasNot, `I6: said not to be committed, and yet: ${show(found)}`);
    if (told === "COMMITTED" && isOne) assert(wasMade, `I1: acknowledged, and yet: ${show(found)}`);
  }

  /** I7: the survivor ends the dead victim, and nothing of it stays. */
  private async checkSettled(): Promise<void> {
    const { site, victim, directory, operation, names } = this;
    const { incarnation } = victim.replica;
    await site.endLeases();
    const untilMs = performance.now() + SETTLE_MS_MAX;
    while ((await readdir(site.control("incarnations"))).includes(incarnation)) {
      assert(performance.now() < untilMs, `I7: nobody has ended ${incarnation} in ${SETTLE_MS_MAX} ms`);
      await sleep(5);
    }
    for (const name of ["staging", "committed", "fenced", "uploads", "births"]) {
      const left = (await readdir(site.control(name))).filter((each) => each.startsWith(incarnation));
      assert.deepEqual(left, [], `I7: ${name}/ still holds something of the dead`);
    }
    const found = await look(site, directory, names);
    const isWhole = isHeld(found, operation.after) || isHeld(found, operation.before);
    assert(isWhole, `I7/I17: settled, and neither as before nor as after: ${show(found)}`);
  }

  /** I5: asked again, the request has one outcome; it is made in the end. */
  private async checkRepeated(client: SafefileClient, told: Told): Promise<void> {
    const { site, directory, operation, names } = this;
    const untilMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      try {
        await operation.act(client, directory, this.requestId);
        break;
      } catch (error) {
        const isSoon = ["OUTCOME_UNKNOWN", "LOCK_TIMEOUT", "LOCK_LOST", "INDEX_UNAVAILABLE", "VOLUME_UNAVAILABLE"];
        const mayRepeat = error instanceof SafefileError && isSoon.includes(error.reason ?? "");
        assert(mayRepeat && performance.now() < untilMs, `I5: repeated after ${told}: ${String(error)}`);
      }
    }
    const found = await look(site, directory, names);
    assert(isHeld(found, operation.after), `I5: committed when repeated after ${told}, and yet: ${show(found)}`);
    for (const name of names) await this.checkBaton(name, untilMs);
  }

  /** Where finishing failed while the fault lasted, its owner tries again by itself. */
  private async checkBaton(name: string, untilMs: number): Promise<void> {
    const hash = pathHash(`${this.directory}/${name}` as FilePath);
    for (;;) {
      const all = await readdir(this.site.control(batonDirectory(hash))).catch(() => []);
      const batons = all.filter((each) => each.startsWith(hash)).flatMap((each) => parseBaton(each) ?? []);
      assert(batons.length <= 1, `${name} has ${batons.length} batons`);
      if (batons.every(isFinished)) return;
      assert(performance.now() < untilMs, `the baton of ${name} is not finished: ${all}`);
      await sleep(20);
    }
  }

  /** I4, I5: each changed path has its revision once, on top of what was there, all of which reads bit for bit. */
  private async checkHistories(before: ReadonlyMap<string, readonly Revision[]>): Promise<void> {
    const { operation, names } = this;
    const after = await this.histories();
    for (const name of names) {
      const [was, is] = [before.get(name) ?? [], after.get(name) ?? []];
      assert.deepEqual(is.slice(0, was.length), was, `I4: the history of ${name} is another one`);
      const [from, to] = [operation.before[name] ?? "nothing", operation.after[name] ?? operation.before[name]];
      const added = is.slice(was.length);
      const wanted =
        from === to ? [] : [to === "nothing" || to === "directory" ? undefined : bytesOf(to as typeof from)];
      // What came from outside is kept before it is replaced.
      const isKnown = typeof from !== "object" || was.at(-1)?.bytes?.equals(from.bytes) === true;
      if (!isKnown) wanted.unshift(bytesOf(from));
      assert.deepEqual(
        added.map(({ bytes }) => bytes),
        wanted,
        `I4/I5: ${name} got revisions ${added.map((each) => `${each.revision} by ${each.operation}`)}`,
      );
    }
  }

  private async checkFurther(client: SafefileClient): Promise<void> {
    const { directory, operation, names } = this;
    for (const name of names) {
      if (operation.after[name] === "directory") continue;
      const bytes = contentOf("further", 100);
      await client.write(`${directory}/${name}`, bytes);
      const read = await this.site.survivor.read(`${directory}/${name}`);
      assert(bytes.equals(Buffer.from(read.bytes)), `what was written further to ${name} is not there`);
    }
  }

  /** Every revision of every name, oldest first. */
  private async histories(): Promise<Map<string, Revision[]>> {
    const { site, directory, names } = this;
    const all = new Map<string, Revision[]>();
    for (const name of names) {
      const target = `${directory}/${name}`;
      const found: Revision[] = [];
      try {
        for await (const { revision, operationId, sha256 } of site.survivor.revisions(target)) {
          const number = Number(revision);
          const bytes =
            sha256.length === 0 ? undefined : Buffer.from((await site.survivor.readRevision(target, number)).bytes);
          found.unshift({ revision: number, operation: operationId, bytes });
        }
      } catch (error) {
        if (!isReason(error, "PATH_NOT_FOUND")) throw error;
      }
      assert.deepEqual(
        found.map(({ revision }) => revision),
        found.map((_, at) => at + 1),
        `a revision of ${name} is missing`,
      );
      all.set(name, found);
    }
    return all;
  }
}

/** The calls that `fault` happened to. */
function hitCalls(fault: Fault, calls: readonly Call[]): readonly Call[] {
  const from = calls.slice(fault.at - 1);
  const hit = from.filter((call) => suits(fault, call));
  return fault.do === "fail" && fault.lasting ? hit : hit.slice(0, 1);
}
