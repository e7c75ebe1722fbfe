import type { OperationId } from "../../model/operation.js";
import { isRepair } from "../../model/operation.js";
import { type FilePath, type PathHash, pathHash } from "../../model/path.js";
import { type Batons, isFinished } from "../../protocol/baton.js";
import { batonDirectory, stagedName } from "../../protocol/names.js";
import type { Settled, Settler } from "../../protocol/settle.js";
import type { Volume } from "../../volume/volume.js";

const ATTEMPTS_MAX = 1000;
/** More directories than this are made durable by one flush of everything. */
const DIRECTORIES_MAX = 16;

/** What raising the batons of a lock's paths came to. */
export interface Raised {
  /** The new epoch of each path, in the order given. */
  readonly tokens: readonly number[];
  /** What became of the operations that had not finished with one of the paths. */
  readonly stopped: ReadonlyMap<OperationId, Settled>;
}

/** Raises the epochs of paths: each is a fencing token, and whoever was at work on a path is stopped or finished. */
export class Fence {
  constructor(
    private readonly volume: Volume,
    private readonly batons: Batons,
    private readonly settler: Settler,
    private readonly nextOperation: () => OperationId,
    private readonly repair: (path: FilePath) => Promise<unknown>,
  ) {}

  /** Durable when it returns, so that no token is given twice, whatever is lost afterwards. */
  async raise(paths: readonly (FilePath | "")[]): Promise<Raised> {
    const directories = new Set<string>();
    const stopped = new Map<OperationId, Settled>();
    const tokens: number[] = [];
    for (const path of paths) tokens.push(await this.raiseOne(path as FilePath, stopped, directories));
    if (directories.size > DIRECTORIES_MAX) await this.volume.syncAll();
    else for (const name of directories) await this.volume.syncDirectory(this.volume.control(name));
    return { tokens, stopped };
  }

  /** Stops what has staged something and not decided yet; undefined when there is nothing to be stopped. */
  async stop(operation: OperationId, path: FilePath): Promise<Settled | undefined> {
    if (!(await this.volume.stat(this.volume.control(stagedName(operation))))) return undefined;
    return await this.settler.settle(operation, path);
  }

  private async raiseOne(path: FilePath, stopped: Map<OperationId, Settled>, directories: Set<string>) {
    const hash = pathHash(path);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const seen = await this.batons.look(hash);
      if (!seen) {
        await this.batons.beBorn(this.nextOperation(), hash);
        for (const name of above(hash)) directories.add(name);
        continue;
      }
      if (isRepair(seen.owner) && !isFinished(seen)) {
        await this.repair(path);
        continue;
      }
      if (!isFinished(seen)) stopped.set(seen.owner, await this.settler.settle(seen.owner, path));
      const last = await this.settler.lastAfter(seen, path);
      // Passed on at once: the path is nobody's, and yet no epoch below this one is left for anybody.
      const next = { hash, epoch: seen.epoch + 1, owner: last, last };
      if (!(await this.batons.move(seen, next))) continue;
      directories.add(batonDirectory(hash));
      return next.epoch;
    }
    throw new Error(`the baton of ${hash} moved away ${ATTEMPTS_MAX} times`);
  }
}

/** The directories that a new baton may have made. */
const above = (hash: PathHash): string[] => ["batons", `batons/${hash.slice(0, 2)}`];
