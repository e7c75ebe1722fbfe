import { LRUCache } from "lru-cache";
import { NO_OPERATION, type OperationId } from "../model/operation.js";
import type { PathHash } from "../model/path.js";
import { codeOf, type Volume, went } from "../volume/volume.js";
import { batonDirectory, birthName, bornName } from "./names.js";

/**
 * The one file per managed path whose name decides who may publish next. Finished when its owner is the last
 * committed operation; otherwise the owner is at work, or died at it.
 */
export interface Baton {
  readonly hash: PathHash;
  /** Grows by one with every owner: the fencing token of the path. */
  readonly epoch: number;
  readonly owner: OperationId;
  /** The newest committed operation of the path as its owner found it: the base of what the owner does. */
  readonly last: OperationId;
}

const OPERATION = "(-|[0-9A-HJKMNP-TV-Z]{26}\\.[1-9][0-9]*r?)";
const BATON = new RegExp(`^([0-9a-f]{40})\\.([0-9]+)\\.${OPERATION}\\.${OPERATION}$`);

const LOOKS_MAX = 4;

export const isFinished = (baton: Baton): boolean => baton.owner === baton.last;

export const batonName = (baton: Baton): string =>
  `${batonDirectory(baton.hash)}/${baton.hash}.${baton.epoch}.${baton.owner}.${baton.last}`;

export function parseBaton(name: string): Baton | undefined {
  const parts = BATON.exec(name);
  if (!parts) return undefined;
  const [, hash, epoch, owner, last] = parts;
  return {
    hash: hash as PathHash,
    epoch: Number(epoch),
    owner: owner as OperationId,
    last: last as OperationId,
  };
}

/** Looks at, moves and makes batons. Knows nothing of who may do so. */
export class Batons {
  /** Finished batons as we left or saw them: most paths are changed by one replica for a while. */
  private readonly left: LRUCache<PathHash, Baton>;

  constructor(
    private readonly volume: Volume,
    leftMax: number,
  ) {
    this.left = new LRUCache({ max: leftMax });
  }

  /** Where the baton of a path most likely is: for a move, which fails where somebody else has moved it since. */
  guess(hash: PathHash): Baton | undefined {
    return this.left.get(hash);
  }

  /**
   * The baton of a path as the directory lists it. Undefined proves nothing: none was made yet, or a rename is
   * under way. Of two names seen at once, the later one.
   */
  async look(hash: PathHash): Promise<Baton | undefined> {
    for (let look = 1; ; look++) {
      const names = (await this.volume.list(this.volume.control(batonDirectory(hash)))) ?? [];
      const baton = this.newest(hash, names);
      // Born, and yet not there: between its two names, most likely.
      if (baton || look === LOOKS_MAX || !names.includes(`${hash}.born`)) return baton;
    }
  }

  /** As `look`, by one look at where the baton most likely is: on a local volume a name that is there is the baton. */
  async see(hash: PathHash): Promise<Baton | undefined> {
    // Another host's cache may show a name that is gone.
    if (this.volume.kind === "network") return this.look(hash);
    const left = this.guess(hash);
    if (left && (await this.volume.stat(this.volume.control(batonName(left))))) return left;
    const baton = await this.look(hash);
    if (baton && isFinished(baton)) this.left.set(hash, baton);
    else this.left.delete(hash);
    return baton;
  }

  private newest(hash: PathHash, names: readonly string[]): Baton | undefined {
    const batons = names.filter((name) => name.startsWith(hash)).flatMap((name) => parseBaton(name) ?? []);
    return batons.sort(
      (left, right) => right.epoch - left.epoch || Number(isFinished(right)) - Number(isFinished(left)),
    )[0];
  }

  /** Renames the baton from the name seen; false when that name is gone, so look again. */
  async move(seen: Baton, next: Baton): Promise<boolean> {
    const [renamed] = await Promise.allSettled([this.rename(seen, next)]);
    return this.moved(next, renamed);
  }

  /** The call of `move` alone, for whoever makes it together with others; `moved` is to be told what became of it. */
  rename(seen: Baton, next: Baton): Promise<void> {
    this.left.delete(seen.hash);
    return this.volume.rename(this.volume.control(batonName(seen)), this.volume.control(batonName(next)));
  }

  /** What `move` says of it. */
  moved(next: Baton, renamed: PromiseSettledResult<void>): boolean {
    const isMoved = renamed.status === "fulfilled";
    if (!isMoved && codeOf(renamed.reason) !== "ENOENT") throw renamed.reason;
    if (isMoved && isFinished(next)) this.left.set(next.hash, next);
    return isMoved;
  }

  /**
   * Makes the first baton of a path, or helps whoever began to. `.born` is a hard link to the single-use file of its
   * maker and holds that file's name; the first baton is that file, renamed, so it can be made once only.
   */
  async beBorn(operation: OperationId, hash: PathHash): Promise<void> {
    const own = this.volume.control(birthName(operation, hash));
    await this.makeDirectories(hash);
    const born = this.volume.control(bornName(hash));
    if (!(await this.volume.stat(born))) {
      const content = birthName(operation, hash);
      if (await went(this.volume.createWith(own, content, this.volume.kind === "network"), ["EEXIST"])) {
        const first = await went(this.volume.link(own, born), ["EEXIST"]);
        // A survivor may have linked our file for us: then it is the one that becomes the baton.
        if (!first && (await this.volume.readSmall(born)) !== content) await went(this.volume.unlink(own), ["ENOENT"]);
      }
    }
    const single = await this.volume.readSmall(born);
    if (!single) return;
    const baton: Baton = { hash, epoch: 0, owner: NO_OPERATION, last: NO_OPERATION };
    await went(this.volume.rename(this.volume.control(single), this.volume.control(batonName(baton))), ["ENOENT"]);
  }

  /** Makes a lost `.born` anew beside a baton that is there, so that a listing that misses the baton makes no second. */
  async keepBorn(hash: PathHash): Promise<void> {
    const born = this.volume.control(bornName(hash));
    if (await this.volume.stat(born)) return;
    await went(this.volume.createWith(born, `births/lost.${hash}`, true), ["EEXIST"]);
  }

  private async makeDirectories(hash: PathHash): Promise<void> {
    const outer = this.volume.control(`batons/${hash.slice(0, 2)}`);
    const inner = this.volume.control(batonDirectory(hash));
    if (await went(this.volume.makeDirectory(inner), ["EEXIST"]).catch(ignoreMissing)) return;
    if (await this.volume.stat(inner)) return;
    await went(this.volume.makeDirectory(outer), ["EEXIST"]);
    await went(this.volume.makeDirectory(inner), ["EEXIST"]);
  }
}

function ignoreMissing(error: unknown): false {
  if (codeOf(error) !== "ENOENT") throw error;
  return false;
}
