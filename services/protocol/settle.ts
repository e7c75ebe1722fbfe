import type { Journals } from "../journal/journals.js";
import { type OperationId, partsOf } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import { changeOf } from "../model/record.js";
import { codeOf, type Name, NotPlainError, unless, type Volume, went } from "../volume/volume.js";
import { type Baton, isFinished } from "./baton.js";
import {
  closedName,
  committedName,
  DELETED,
  deleteLeaf,
  directoryLeaf,
  fencedName,
  stagedName,
  writeLeaf,
} from "./names.js";

/**
 * What became of another's operation. `STOPPED`: it never decided and never can. `CLOSED`: its incarnation is over
 * and its names are gone; it counts as not committed for taking a baton, and nothing is reported of it.
 */
export type Settled = "COMMITTED" | "STOPPED" | "CLOSED";

/** Ends operations whose owner may be slow, dead or waking up: by names, so that exactly one of deciding and
 * stopping can happen (design.md, "Settling another's operation"). */
export class Settler {
  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
  ) {}

  /** Stops `operation` unless it has decided; then it is finished. Safe at any time, by anyone. */
  async settle(operation: OperationId): Promise<Settled> {
    const settled = await this.fence(operation);
    if (settled === "COMMITTED") await this.finish(operation);
    return settled;
  }

  /** The last committed operation of the path whose baton this is, once its owner is settled. */
  async lastAfter(baton: Baton, path: FilePath): Promise<OperationId> {
    if (isFinished(baton) || (await this.settle(baton.owner)) !== "COMMITTED") return baton.last;
    const record = await this.journals.find(baton.owner);
    // It may only have looked at this path.
    return record && !changeOf(record, path) ? baton.last : baton.owner;
  }

  /** Whether `operation` has decided, without stopping it: false while it still may. */
  async hasDecided(operation: OperationId): Promise<boolean> {
    if (await this.volume.stat(this.volume.control(stagedName(operation)))) return false;
    const fenced = await this.volume.stat(this.volume.control(fencedName(operation)));
    if (fenced) return fenced.type === "file" && fenced.links >= 2;
    if (await this.volume.stat(this.volume.control(closedName(partsOf(operation).incarnation)))) return false;
    return this.mayHaveDecided(operation);
  }

  /**
   * Whoever decides has a durable record. On a local volume everybody sees it; there an operation without one gave up,
   * and may have left no name. On a network volume a cache may hide it, so its absence proves nothing.
   */
  private async mayHaveDecided(operation: OperationId): Promise<boolean> {
    return this.volume.kind === "network" || (await this.journals.find(operation)) !== undefined;
  }

  /** As `settle`, without finishing anything. */
  async fence(operation: OperationId): Promise<Settled> {
    const fenced = this.volume.control(fencedName(operation));
    await went(this.volume.rename(this.volume.control(stagedName(operation)), fenced), ["ENOENT"]);
    const stats = await this.volume.stat(fenced);
    if (stats) {
      // A create is published by link, so it may have been published and fenced: then the file has both names.
      if (stats.type !== "file" || stats.links < 2) return "STOPPED";
      await went(this.volume.unlink(fenced), ["ENOENT"]);
      return "COMMITTED";
    }
    const { incarnation } = partsOf(operation);
    if (await this.volume.stat(this.volume.control(closedName(incarnation)))) return "CLOSED";
    return (await this.mayHaveDecided(operation)) ? "COMMITTED" : "STOPPED";
  }

  /**
   * Publishes what a decided operation still holds. Every source here is a name that exists once, so it does not
   * matter how often, or how late, anybody tries.
   */
  async finish(operation: OperationId): Promise<void> {
    const directory = committedName(operation);
    if (!(await this.volume.stat(this.volume.control(directory)))) return;
    const record = await this.journals.find(operation);
    if (!record) throw new Error(`operation ${operation} is decided, but no journal holds its record`);
    const changes = [...record.changes.entries()];
    for (const [index, { kind, path, content }] of changes) {
      if (kind === "MAKE_DIRECTORY") await this.publish(directory, directoryLeaf(index), path);
      else if (content) await this.publish(directory, writeLeaf(index), path);
      else if (kind !== "REMOVE_DIRECTORY") await this.finishDelete(operation, index, path);
    }
    // What was in them is gone by now; the deepest go first.
    for (const [index, { kind, path }] of changes.toReversed())
      if (kind === "REMOVE_DIRECTORY") await this.finishRemove(operation, index, path);
    await went(this.volume.removeDirectory(this.volume.control(directory)), ["ENOENT", "ENOTEMPTY", "EEXIST"]);
  }

  private async publish(directory: string, name: string, path: FilePath): Promise<void> {
    const leaf = this.volume.control(`${directory}/${name}`);
    for (let stats = await this.volume.stat(leaf); stats; stats = await this.volume.stat(leaf)) {
      const { live } = await this.volume.locateWithParents(path);
      await using target = live;
      try {
        await this.volume.rename(leaf, target);
        return;
      } catch (error) {
        const code = codeOf(error) ?? "";
        if (code === "EISDIR") throw new NotPlainError(path, "directory");
        // Something is there already: a directory that is to be made needs to do no more.
        if (stats.type === "directory" && ["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(code)) {
          await went(this.volume.removeDirectory(leaf), ["ENOENT"]);
          return;
        }
        if (code !== "ENOENT") throw error;
      }
    }
  }

  /** What lay there and is not ours to remove gets another name. */
  private async keepFound(operation: OperationId, index: number, gone: Name): Promise<void> {
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    await went(this.volume.rename(gone, this.volume.control(`found/${operation}.${index}`)), ["ENOENT"]);
  }

  /** Removes a directory if it is empty. One into which somebody has put something meanwhile stays. */
  private async finishRemove(operation: OperationId, index: number, path: FilePath): Promise<void> {
    const leaf = `${committedName(operation)}/${deleteLeaf(index)}`;
    const gone = this.volume.control(`${leaf}/${DELETED}`);
    const live = await unless(["ENOENT"], this.volume.locate(path)).catch(ignoreNotPlain);
    if (live) {
      await using held = live;
      // By a rename into a name that exists once, so that nobody who comes late removes a directory made since.
      const isDirectory = (await this.volume.stat(held))?.type === "directory";
      if (isDirectory && (await this.volume.list(held).catch(ignoreNotDirectory))?.length === 0)
        await went(this.volume.rename(held, gone), ["ENOENT", "EBUSY"]);
      if (
        !(await this.removeIfEmpty(gone)) &&
        !(await went(this.volume.rename(gone, held), ["ENOENT", "EEXIST", "ENOTEMPTY", "ENOTDIR"]))
      )
        await this.keepFound(operation, index, gone);
    } else if (!(await this.removeIfEmpty(gone))) await this.keepFound(operation, index, gone);
    await went(this.volume.removeDirectory(this.volume.control(leaf)), ["ENOENT"]);
  }

  private removeIfEmpty(gone: Name): Promise<boolean> {
    return went(this.volume.removeDirectory(gone).catch(ignoreMissing), ["ENOTEMPTY", "EEXIST", "ENOTDIR"]);
  }

  private async finishDelete(operation: OperationId, index: number, path: FilePath): Promise<void> {
    const directory = committedName(operation);
    const leaf = this.volume.control(`${directory}/${deleteLeaf(index)}`);
    const gone = this.volume.control(`${directory}/${deleteLeaf(index)}/${DELETED}`);
    try {
      await using live = await this.volume.locate(path);
      await went(this.volume.rename(live, gone), ["ENOENT"]);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error; // no parent directory: nothing is there to delete
    }
    if ((await this.volume.stat(gone))?.type === "directory") await this.keepFound(operation, index, gone);
    await went(this.volume.unlink(gone), ["ENOENT"]);
    await went(this.volume.removeDirectory(leaf), ["ENOENT"]);
  }
}

function ignoreNotPlain(error: unknown): undefined {
  if (!(error instanceof NotPlainError)) throw error;
  return undefined;
}

function ignoreNotDirectory(error: unknown): undefined {
  if (codeOf(error) !== "ENOTDIR") throw error;
  return undefined;
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}
