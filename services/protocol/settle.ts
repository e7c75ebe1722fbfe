import type { Journals } from "../journal/journals.js";
import { type OperationId, partsOf } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import { changeOf } from "../model/record.js";
import { codeOf, type Name, type Volume, went } from "../volume/volume.js";
import { closedName, committedName, DELETED, deleteLeaf, fencedName, stagedName, writeLeaf } from "./names.js";

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

  /** Stops `operation` unless it has decided; then its part on `path` is finished. Safe at any time, by anyone. */
  async settle(operation: OperationId, path: FilePath): Promise<Settled> {
    const settled = await this.fence(operation);
    if (settled === "COMMITTED") await this.finish(operation, path);
    return settled;
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
   * Publishes what a decided operation still holds for `path`. Every source here is a name that exists once, so it
   * does not matter how often, or how late, anybody tries.
   */
  async finish(operation: OperationId, path: FilePath): Promise<void> {
    const directory = committedName(operation);
    if (!(await this.volume.stat(this.volume.control(directory)))) return;
    const record = await this.journals.find(operation);
    if (!record) throw new Error(`operation ${operation} is decided, but no journal holds its record`);
    const index = record.changes.findIndex((change) => change.path === path);
    const change = changeOf(record, path);
    if (!change) return;
    if (change.kind === "DELETE") await this.finishDelete(operation, index, path);
    else await this.finishWrite(directory, index, path);
    await went(this.volume.removeDirectory(this.volume.control(directory)), ["ENOENT", "ENOTEMPTY", "EEXIST"]);
  }

  private async finishWrite(directory: string, index: number, path: FilePath): Promise<void> {
    const leaf = this.volume.control(`${directory}/${writeLeaf(index)}`);
    while (await this.volume.stat(leaf)) {
      const { live } = await this.volume.locateWithParents(path);
      await using target = live;
      if (await went(this.volume.rename(leaf, target), ["ENOENT"])) return;
    }
  }

  /** Somebody outside made a directory of the file that was to be deleted: it is not ours to remove. */
  private async keepFound(operation: OperationId, index: number, gone: Name): Promise<void> {
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    await went(this.volume.rename(gone, this.volume.control(`found/${operation}.${index}`)), ["ENOENT"]);
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
