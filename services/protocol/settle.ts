import type { Journals } from "../journal/journals.js";
import { eachOf } from "../model/each.js";
import { type OperationId, partsOf } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import { changeOf, type PathChange } from "../model/record.js";
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

/** Files of one operation published at once. */
const PARALLEL = 16;

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

  /** Stops `operation` unless it has decided; then it is finished, at least at `path`. Safe at any time, by anyone. */
  async settle(operation: OperationId, path: FilePath): Promise<Settled> {
    const settled = await this.fence(operation);
    if (settled === "COMMITTED") await this.finish(operation, path);
    return settled;
  }

  /** The last committed operation of the path whose baton this is, once its owner is settled. */
  async lastAfter(baton: Baton, path: FilePath): Promise<OperationId> {
    if (isFinished(baton) || (await this.settle(baton.owner, path)) !== "COMMITTED") return baton.last;
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
   * matter how often, or how late, anybody tries. Throws what keeps a path of it from being published: one of `only`,
   * when given, since no path waits for another one's obstacle.
   */
  async finish(operation: OperationId, only?: FilePath): Promise<void> {
    const failures = await this.publishAll(operation);
    const failure = only === undefined ? [...failures.values()][0] : failures.get(only);
    if (failure) throw failure;
  }

  /** As `finish`; returns what could not be published yet, and why. */
  async publishAll(operation: OperationId): Promise<ReadonlyMap<FilePath, unknown>> {
    const failures = new Map<FilePath, unknown>();
    const directory = committedName(operation);
    if (!(await this.volume.stat(this.volume.control(directory)))) return failures;
    const record = await this.journals.find(operation);
    if (!record) throw new Error(`operation ${operation} is decided, but no journal holds its record`);
    const steps = record.changes.map((change, index) => ({ ...change, index }));
    const goThrough = (some: Iterable<Step>, parallel: number, take: (step: Step) => Promise<void>): Promise<void> =>
      eachOf(some, parallel, (step) => take(step).catch((error: unknown) => failures.set(step.path, error)));
    // Before what is in them, which would make them with other permission bits.
    await goThrough(steps.filter(makesDirectory), 1, ({ index, path }) =>
      this.publish(directory, directoryLeaf(index), path),
    );
    const files = steps.filter((step) => !makesDirectory(step) && !removesDirectory(step));
    await goThrough(files, PARALLEL, ({ index, path, content }) =>
      content ? this.publish(directory, writeLeaf(index), path) : this.finishDelete(operation, index, path),
    );
    // What was in them is gone by now; the deepest go first.
    await goThrough(steps.filter(removesDirectory).reverse(), 1, async ({ index, path }) => {
      for (const [below, failure] of failures) if (below.startsWith(`${path}/`)) throw failure;
      await this.finishRemove(operation, index, path);
    });
    if (failures.size === 0)
      await went(this.volume.removeDirectory(this.volume.control(directory)), ["ENOENT", "ENOTEMPTY", "EEXIST"]);
    return failures;
  }

  private async publish(directory: string, name: string, path: FilePath): Promise<void> {
    const leaf = this.volume.control(`${directory}/${name}`);
    const parents: FilePath[] = [];
    for (let stats = await this.volume.stat(leaf); stats; stats = await this.volume.stat(leaf)) {
      const { live, made } = await this.volume.locateWithParents(path);
      parents.push(...made);
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
    // Somebody else published it, and these may have been removed for good since.
    await this.volume.removeEmpty(parents);
  }

  /** Removes a directory if it is empty. One into which somebody has put something meanwhile stays. */
  private async finishRemove(operation: OperationId, index: number, path: FilePath): Promise<void> {
    const leaf = `${committedName(operation)}/${deleteLeaf(index)}`;
    const gone = `${leaf}/${DELETED}`;
    const live = await unless(["ENOENT"], this.volume.locate(path)).catch(ignoreNotPlain);
    if (live) {
      await using held = live;
      const isDirectory = (await this.volume.stat(held))?.type === "directory";
      if (isDirectory && (await this.volume.list(held).catch(ignoreNotDirectory))?.length === 0)
        await this.takeAway(held, this.volume.control(gone));
    }
    if (!(await this.removeIfEmpty(gone))) await this.putBack(`${operation}.${index}`, gone, path);
    await went(this.volume.removeDirectory(this.volume.control(leaf)), ["ENOENT"]);
  }

  /**
   * By a rename into a name that exists once, so that nobody who comes late removes a directory made since. Where that
   * needs more rights to the directory than we have, it is removed as it is.
   */
  private async takeAway(held: Name, gone: Name): Promise<void> {
    try {
      await went(this.volume.rename(held, gone), ["ENOENT", "EBUSY", "ENOTEMPTY", "EEXIST", "ENOTDIR"]);
    } catch (error) {
      if (codeOf(error) !== "EACCES" && codeOf(error) !== "EPERM") throw error;
      await went(this.volume.removeDirectory(held), ["ENOENT", "EBUSY", "ENOTEMPTY", "EEXIST", "ENOTDIR"]);
    }
  }

  private removeIfEmpty(gone: string): Promise<boolean> {
    const name = this.volume.control(gone);
    return went(this.volume.removeDirectory(name).catch(ignoreMissing), ["ENOTEMPTY", "EEXIST", "ENOTDIR"]);
  }

  private async finishDelete(operation: OperationId, index: number, path: FilePath): Promise<void> {
    const leaf = `${committedName(operation)}/${deleteLeaf(index)}`;
    const gone = `${leaf}/${DELETED}`;
    const name = this.volume.control(gone);
    // No parent directory, or one that is a symlink by now: nothing is there to delete.
    const live = await unless(["ENOENT"], this.volume.locate(path)).catch(ignoreNotPlain);
    if (live) {
      await using held = live;
      const stats = await this.volume.stat(held);
      if (stats && stats.type !== "directory") await went(this.volume.rename(held, name), ["ENOENT"]);
    }
    // It was one after all.
    if ((await this.volume.stat(name))?.type === "directory") await this.putBack(`${operation}.${index}`, gone, path);
    await went(this.volume.unlink(name), ["ENOENT"]);
    await went(this.volume.removeDirectory(this.volume.control(leaf)), ["ENOENT"]);
  }

  /**
   * Gives a directory that was taken away, and holds what is not ours to remove, its path back: writers that held it
   * open may have published into it (I1). Where the path was taken anew, what is in it goes into that one; what has
   * no place there either is kept under `found/`.
   */
  private async putBack(keptName: string, gone: string, path: FilePath): Promise<void> {
    await this.putInto(gone, path).catch(ignoreNotPlain);
    if (await this.removeIfEmpty(gone)) return;
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    await went(this.volume.rename(this.volume.control(gone), this.volume.control(`found/${keptName}`)), ["ENOENT"]);
  }

  private async putInto(gone: string, path: FilePath): Promise<void> {
    const source = this.volume.control(gone);
    const isDirectory = (await this.volume.stat(source))?.type === "directory";
    const { live } = await this.volume.locateWithParents(path);
    await using held = live;
    if (!isDirectory) {
      // Never over what is there: it is newer.
      if (await went(this.volume.link(source, held), ["ENOENT", "EEXIST"]))
        await went(this.volume.unlink(source), ["ENOENT"]);
      return;
    }
    if (await went(this.volume.rename(source, held), ["ENOENT", "EEXIST", "ENOTEMPTY", "ENOTDIR"])) return;
    for (const name of (await this.volume.list(source)) ?? [])
      await this.putInto(`${gone}/${name}`, `${path}/${name}` as FilePath);
    await this.removeIfEmpty(gone);
  }
}

type Step = PathChange & { readonly index: number };
const makesDirectory = ({ kind }: PathChange): boolean => kind === "MAKE_DIRECTORY";
const removesDirectory = ({ kind }: PathChange): boolean => kind === "REMOVE_DIRECTORY";

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
