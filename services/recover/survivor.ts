import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import { type IncarnationId, isIncarnationId, isOperationId, type OperationId, partsOf } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import type { OperationRecord } from "../model/record.js";
import { type Batons, isFinished } from "../protocol/baton.js";
import type { Heads } from "../protocol/heads.js";
import { type Incarnation, identityOf } from "../protocol/incarnation.js";
import { closedName, fencedName, incarnationName, stagingOf } from "../protocol/names.js";
import type { Settler } from "../protocol/settle.js";
import { isProvenDead } from "../volume/process.js";
import { unless, type Volume, went } from "../volume/volume.js";

interface Watched {
  sign: string;
  /** By this process's monotonic clock. */
  changedMs: number;
}

const REMOVE_ATTEMPTS_MAX = 100;

/**
 * Notices incarnations that died, and ends what they left: every operation of theirs is stopped or finished, then
 * the incarnation is closed for ever. Any number of survivors may do it at once, be killed at any step, and do it
 * again (I7). A wrong guess costs the other replica its work under way, never data.
 */
export class Survivor {
  private readonly watched = new Map<IncarnationId, Watched>();

  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly index: Index,
    private readonly batons: Batons,
    private readonly heads: Heads,
    private readonly settler: Settler,
    private readonly own: Incarnation,
    private readonly deadMs: number,
  ) {}

  /** One look at all others; ends those that are dead. Returns them. */
  async look(): Promise<IncarnationId[]> {
    const ended: IncarnationId[] = [];
    for (const incarnation of await this.others()) {
      if (!(await this.isDead(incarnation))) continue;
      await this.end(incarnation);
      this.watched.delete(incarnation);
      ended.push(incarnation);
    }
    return ended;
  }

  private async others(): Promise<IncarnationId[]> {
    const names = (await this.volume.list(this.volume.control("incarnations"))) ?? [];
    return names.filter(isIncarnationId).filter((incarnation) => incarnation !== this.own.id);
  }

  private async isDead(incarnation: IncarnationId): Promise<boolean> {
    const identity = await identityOf(this.volume, incarnation);
    if (identity && isProvenDead(identity, this.own.identity)) return true;
    const stats = await this.volume.stat(this.volume.control(incarnationName(incarnation)));
    // Silence of Redis alone kills nobody: the volume must be silent too.
    const beat = await this.index.lastBeat(incarnation).catch(() => undefined);
    const sign = `${stats?.mtimeNs} ${beat}`;
    const nowMs = performance.now();
    const watched = this.watched.get(incarnation);
    if (watched?.sign === sign) return nowMs - watched.changedMs > this.deadMs;
    this.watched.set(incarnation, { sign, changedMs: nowMs });
    return false;
  }

  /** Ends everything of a dead incarnation. */
  async end(incarnation: IncarnationId): Promise<void> {
    await this.emptyStaging(incarnation);
    await this.finishDecided(incarnation);
    await this.settleJournaled(incarnation);
    // Kept for ever: whoever looks for its names later learns that they are gone for good.
    await went(this.volume.createWith(this.volume.control(closedName(incarnation)), "", true), ["EEXIST"]);
    await this.volume.syncDirectory(this.volume.control("closed"));
    await this.forget(incarnation);
  }

  /**
   * Fences its operations one by one, then removes its staging directory. Renaming the directory would be no fence:
   * whoever holds it open publishes through it.
   */
  private async emptyStaging(incarnation: IncarnationId): Promise<void> {
    const staging = this.volume.control(stagingOf(incarnation));
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS_MAX; attempt++) {
      for (const name of (await this.volume.list(staging)) ?? [])
        if (isOperationId(name)) await this.settler.fence(name);
      if (await went(this.volume.removeDirectory(staging), ["ENOTEMPTY", "EEXIST"]).catch(absent)) return;
    }
    throw new Error(`${stagingOf(incarnation)} does not become empty`);
  }

  private async finishDecided(incarnation: IncarnationId): Promise<void> {
    for (const name of (await this.volume.list(this.volume.control("committed"))) ?? []) {
      if (!isOperationId(name) || partsOf(name).incarnation !== incarnation) continue;
      const record = await this.journals.find(name);
      for (const { path } of record?.changes ?? []) await this.settler.finish(name, path);
    }
  }

  /** Moves on every baton that names one of its journaled operations, and indexes those that committed. */
  private async settleJournaled(incarnation: IncarnationId): Promise<void> {
    const indexed = await this.index.watermark(incarnation).catch(() => 0);
    for await (const scanned of this.journals.scan(incarnation)) {
      if (scanned.type !== "operation" || scanned.sequence <= indexed) continue;
      await this.settleOne(scanned.record);
    }
  }

  private async settleOne(record: OperationRecord): Promise<void> {
    const { operation } = record;
    const settled = await this.settler.fence(operation);
    if (settled === "STOPPED") await this.journals.abort(operation, "its incarnation died");
    for (const { path } of record.changes) {
      const baton = await this.batons.look(pathHash(path));
      if (!baton || baton.owner !== operation || isFinished(baton)) continue;
      if (settled === "COMMITTED") await this.settler.finish(operation, path);
      await this.batons.move(
        baton,
        settled === "COMMITTED" ? { ...baton, last: operation } : { ...baton, owner: baton.last },
      );
    }
    if (settled === "COMMITTED") await this.indexCommitted(record);
  }

  /** Tells the index of a committed operation and of those below it that it does not have. */
  private async indexCommitted(record: OperationRecord): Promise<void> {
    for (const change of record.changes) {
      if (!(await this.isInChain(change.path, record.operation, change.revision))) return;
    }
    await this.index.apply([record]);
  }

  /** Whether `operation` is part of the history of `path`: absence of its names alone does not prove it. */
  private async isInChain(path: FilePath, operation: OperationId, revision: number): Promise<boolean> {
    const baton = await this.batons.look(pathHash(path));
    let head = baton && (await this.heads.headAt(path, baton.last));
    while (head && head.change.revision > revision) head = await this.heads.headAt(path, head.change.baseOperation);
    return head?.record.operation === operation;
  }

  private async forget(incarnation: IncarnationId): Promise<void> {
    for (const directory of ["fenced", "uploads", "births"]) {
      for (const name of (await this.volume.list(this.volume.control(directory))) ?? []) {
        if (!name.startsWith(`${incarnation}.`)) continue;
        if (directory === "births") await this.helpBirth(name);
        else await this.remove(directory === "fenced" ? fencedName(name as OperationId) : `${directory}/${name}`);
      }
    }
    await went(this.volume.unlink(this.volume.control(incarnationName(incarnation))), ["ENOENT"]);
  }

  /** A birth that was announced is brought to its end; one that was not is removed. */
  private async helpBirth(name: string): Promise<void> {
    const hash = name.slice(name.lastIndexOf(".") + 1);
    const operation = name.slice(0, name.lastIndexOf("."));
    if (!isOperationId(operation) || !/^[0-9a-f]{40}$/.test(hash)) return;
    await this.batons.beBorn(operation, hash as ReturnType<typeof pathHash>);
    await went(this.volume.unlink(this.volume.control(`births/${name}`)), ["ENOENT"]);
  }

  private async remove(name: string): Promise<void> {
    const stats = await this.volume.stat(this.volume.control(name));
    if (stats?.type !== "directory") {
      await went(this.volume.unlink(this.volume.control(name)), ["ENOENT"]);
      return;
    }
    for (const leaf of (await unless(["ENOENT"], this.volume.list(this.volume.control(name)))) ?? [])
      await this.remove(`${name}/${leaf}`);
    await went(this.volume.removeDirectory(this.volume.control(name)), ["ENOENT", "ENOTEMPTY"]);
  }
}

function absent(error: unknown): true {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  return true;
}
