import type { Journals } from "../journal/journals.js";
import { sameBytes, sameXattrs } from "../model/content.js";
import {
  type IncarnationId,
  isIncarnationId,
  isRepair,
  NO_OPERATION,
  type OperationId,
  partsOf,
} from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { type Baton, type Batons, isFinished } from "../protocol/baton.js";
import { type Head, type Heads, sameRights } from "../protocol/heads.js";
import { type Incarnation, identityOf } from "../protocol/incarnation.js";
import { bornName, DELETED, fencedName, generationName, removeTree, stagedName, stagingOf } from "../protocol/names.js";
import { digestOf, type Store } from "../store/store.js";
import { type LiveName, type Name, NotPlainError, unless, type Volume, went } from "../volume/volume.js";
import { type History, historyOf, type Recorded } from "./history.js";
import type { Survivor } from "./survivor.js";

export interface Replayed {
  readonly paths: number;
  /** Paths whose live file was not the head. */
  readonly republished: number;
  readonly leftOut: number;
}

const REPAIR_ATTEMPTS_MAX = 1000;
const PARALLEL = 8;

/**
 * Brings a local volume back to what was acknowledged, after its host may have lost power: names may have gone back in
 * time and unsynced contents may be gone, but the journals are durable. Runs before anything is served. Several
 * replicas may do it at once, each path under its baton, and again after being killed anywhere (I1, I7).
 */
export class Replay {
  private history: History | undefined;

  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly batons: Batons,
    private readonly heads: Heads,
    private readonly store: Store,
    private readonly incarnation: Incarnation,
    private readonly survivor: Survivor,
  ) {}

  /** Replays if this host has started anew since the volume was last brought up to date; undefined when it has not. */
  async runIfNeeded(): Promise<Replayed | undefined> {
    // On a network volume the server keeps every name it answered for, and contents were synced before publishing.
    const generations = ((await this.volume.list(this.volume.control("generations"))) ?? []).map(parseGeneration);
    const newest = generations.reduce((most, each) => Math.max(most, each.number), 0);
    const isCurrent = generations.some(({ number, bootId }) => number === newest && bootId === this.volume.bootId);
    if (isCurrent) return undefined;
    const replayed = newest === 0 || this.volume.kind === "network" ? undefined : await this.run();
    const name = this.volume.control(generationName(newest + 1, this.volume.bootId));
    await went(this.volume.createWith(name, "", true), ["EEXIST"]);
    await this.volume.syncDirectory(this.volume.control("generations"));
    return replayed;
  }

  private async run(): Promise<Replayed> {
    const before = await this.incarnationsBefore();
    for (const incarnation of before) await removeTree(this.volume, stagingOf(incarnation));
    for (const name of (await this.volume.list(this.volume.control("committed"))) ?? [])
      if (before.has(partsOf(name as OperationId).incarnation)) await removeTree(this.volume, `committed/${name}`);

    const history = await this.readHistory();
    this.history = history;
    for (const operation of history.leftOut) await this.journals.abort(operation, "left out after a power cut");
    let republished = 0;
    const queue = history.paths.keys();
    const work = async (): Promise<void> => {
      for (const path of queue) if (await this.repair(path)) republished += 1;
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    for (const incarnation of before) await this.survivor.close(incarnation);
    return { paths: history.paths.size, republished, leftOut: history.leftOut.length };
  }

  /** The incarnations that cannot have outlived the cut: all of another start of this host. */
  private async incarnationsBefore(): Promise<Set<IncarnationId>> {
    const names = new Set<string>();
    for (const directory of ["incarnations", "staging", "journal"])
      for (const name of (await this.volume.list(this.volume.control(directory))) ?? []) names.add(name);
    const before = new Set<IncarnationId>();
    for (const name of names) if (isIncarnationId(name) && !(await this.isAfter(name))) before.add(name);
    return before;
  }

  private async isAfter(incarnation: IncarnationId): Promise<boolean> {
    return (await identityOf(this.volume, incarnation))?.bootId === this.volume.bootId;
  }

  private async readHistory(): Promise<History> {
    const records: Recorded[] = [];
    const aborted = new Set<OperationId>();
    for (const incarnation of await this.journals.incarnations()) {
      for await (const scanned of this.journals.scan(incarnation)) {
        if (scanned.type === "abort") aborted.add(scanned.operation);
        else records.push(essence(scanned.record));
      }
    }
    return historyOf(records, aborted);
  }

  /**
   * Makes live file and baton of `path` those of its head, under the baton. True when the live file was another one.
   * Called for unfinished repairs of others, too: what their baton calls the last operation may be out of date.
   */
  async repair(path: FilePath): Promise<boolean> {
    this.history ??= await this.readHistory();
    const known = this.history.paths.get(path);
    if (!known) return false;
    const hash = pathHash(path);
    for (let attempt = 0; attempt < REPAIR_ATTEMPTS_MAX; attempt++) {
      const seen = await this.batons.look(hash);
      if (!seen) {
        await this.beBornAgain(path);
        continue;
      }
      await this.batons.keepBorn(hash);
      if (await this.belongsToAfter(seen)) return false;
      const operation = known.chain.at(-1) ?? NO_OPERATION;
      const head = await this.heads.headAt(path, operation);
      const isLive = await this.holds(path, head);
      const isSettled = isFinished(seen) && seen.last === operation && seen.epoch >= known.epoch;
      if (isLive && isSettled) return false;
      // Whoever else repairs this path must be stopped before its baton is moved, or it publishes later.
      if (!isFinished(seen)) await this.fence(seen.owner);
      const settled = { ...seen, epoch: Math.max(seen.epoch, known.epoch) + 1, owner: operation, last: operation };
      const isDone = isLive ? this.batons.move(seen, settled) : this.repairUnder(path, seen, settled, head);
      if (await isDone) return !isLive;
    }
    throw new Error(`the baton of ${hash} moved away ${REPAIR_ATTEMPTS_MAX} times during its repair`);
  }

  /** One try; false when somebody else moved the baton or stopped us. */
  private async repairUnder(path: FilePath, seen: Baton, settled: Baton, head: Head | undefined): Promise<boolean> {
    const operation = this.incarnation.nextRepair();
    const staged = this.volume.control(stagedName(operation));
    await this.stage(staged, head);
    const taken = { ...settled, owner: operation, last: seen.last };
    if (!(await this.batons.move(seen, taken))) {
      await removeTree(this.volume, stagedName(operation));
      return false;
    }
    const done = head?.change.content ? await this.publish(path, staged) : await this.remove(path, operation);
    return done && (await this.batons.move(taken, settled));
  }

  private async fence(owner: OperationId): Promise<void> {
    const source = this.volume.control(stagedName(owner));
    await went(this.volume.rename(source, this.volume.control(fencedName(owner))), ["ENOENT"]);
  }

  /** The staged name: a copy of the head's content, or the directory into which a deleted file is moved. */
  private async stage(staged: Name, head: Head | undefined): Promise<void> {
    const content = head?.change.content;
    if (!head || !content) {
      await this.volume.makeDirectory(staged);
      return;
    }
    await using handle = await this.volume.create(staged);
    let position = 0;
    for await (const chunk of this.store.read(content)) {
      await handle.write(chunk, position);
      position += chunk.length;
    }
    await handle.setAttributes({ ...content, mtimeNs: head.change.mtimeNs });
    await handle.sync();
  }

  private async publish(path: FilePath, staged: Name): Promise<boolean> {
    const { live } = await this.volume.locateWithParents(path);
    await using target = live;
    await this.keepUnknown(path, target);
    return await went(this.volume.rename(staged, target), ["ENOENT"]);
  }

  private async remove(path: FilePath, operation: OperationId): Promise<boolean> {
    const live = await unless(["ENOENT"], this.volume.locate(path));
    if (live) {
      await using held = live;
      await this.keepUnknown(path, held);
      const gone = this.volume.control(`${stagedName(operation)}/${DELETED}`);
      if (!(await went(this.volume.rename(held, gone), ["ENOENT"])) && (await this.volume.stat(held))) return false;
      // Put there from outside after we looked: not ours to remove.
      if ((await this.volume.stat(gone))?.type === "directory") await this.keepFound(operation, gone);
    }
    await removeTree(this.volume, stagedName(operation));
    return true;
  }

  private async keepFound(operation: OperationId, gone: Name): Promise<void> {
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    await went(this.volume.rename(gone, this.volume.control(`found/${operation}`)), ["ENOENT"]);
  }

  /** What lies where the head should be, and is no revision at all, gets another name under `found/`: a person may
   * want it. */
  private async keepUnknown(path: FilePath, live: LiveName): Promise<void> {
    const stats = await this.volume.stat(live);
    if (stats?.type !== "file" || stats.sizeBytes === 0) return;
    const known = this.history?.paths.get(path)?.chain ?? [];
    const sha256 = await this.digestAt(live, stats.sizeBytes);
    for (const operation of known.toReversed()) {
      const head = await this.heads.headAt(path, operation);
      if (sha256 && head?.change.content && sameBytes(sha256, head.change.content.sha256)) return;
    }
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    const name = `found/${pathHash(path)}.${stats.inode}.${stats.mtimeNs}`;
    await went(this.volume.link(live, this.volume.control(name)), ["EEXIST", "ENOENT"]);
  }

  /**
   * Whether there is nothing to publish: the live file is the head, by its bytes, since after a cut attributes prove
   * nothing; or the path has no history; or somebody outside made a directory or a symlink of it, which stays.
   */
  private async holds(path: FilePath, head: Head | undefined): Promise<boolean> {
    if (!head) return true;
    const { content } = head.change;
    const live = await unless(["ENOENT"], this.volume.locate(path)).catch((error: unknown) => {
      if (error instanceof NotPlainError) return "outside" as const;
      throw error;
    });
    if (live === "outside") return true;
    if (!live) return content === undefined;
    await using held = live;
    const stats = await this.volume.stat(held);
    if (stats && stats.type !== "file") return true;
    if (!content || !stats) return !content && !stats;
    if (stats.sizeBytes !== content.sizeBytes || !sameRights(content, stats)) return false;
    if (!sameXattrs(await this.volume.xattrs(held), content.xattrs)) return false;
    const sha256 = await this.digestAt(held, stats.sizeBytes);
    return sha256 !== undefined && sameBytes(sha256, content.sha256);
  }

  private async digestAt(live: LiveName, sizeBytes: number): Promise<Buffer | undefined> {
    const handle = await unless(["ENOENT"], this.volume.openRead(live)).catch((error: unknown) => {
      if (error instanceof NotPlainError) return undefined;
      throw error;
    });
    if (!handle) return undefined;
    await using open = handle;
    return await digestOf(open, sizeBytes);
  }

  /** An ordinary operation of after the cut found the path repaired, or it would not have begun. */
  private async belongsToAfter({ owner, last }: Baton): Promise<boolean> {
    for (const operation of [owner, last]) {
      if (operation === NO_OPERATION || isRepair(operation)) continue;
      if (await this.isAfter(partsOf(operation).incarnation)) return true;
    }
    return false;
  }

  /** A lost baton is made anew. `.born` says that there was one, so it has to go first, and only one can move it. */
  private async beBornAgain(path: FilePath): Promise<void> {
    const hash = pathHash(path);
    const operation = this.incarnation.nextOperation();
    await this.batons.beBorn(operation, hash);
    if (await this.batons.look(hash)) return;
    const born = this.volume.control(bornName(hash));
    const moved = this.volume.control(`births/${operation}.${hash}.lost`);
    if (!(await went(this.volume.rename(born, moved), ["ENOENT"]))) return;
    // Another replayer may have made one between our look and our rename.
    if (await this.batons.look(hash)) await went(this.volume.link(moved, born), ["EEXIST"]);
    await this.volume.unlink(moved);
  }
}

const essence = ({ operation, changes }: Recorded): Recorded => ({
  operation,
  changes: changes.map(({ path, epoch, baseOperation }) => ({ path, epoch, baseOperation })),
});

/** `<number>.<boot id>`. */
function parseGeneration(name: string): { number: number; bootId: string } {
  const dot = name.indexOf(".");
  return { number: Number(name.slice(0, dot)), bootId: name.slice(dot + 1) };
}
