import type { Journals } from "../journal/journals.js";
import { JournalCorruptError } from "../journal/reader.js";
import { type Content, sameBytes, sameXattrs } from "../model/content.js";
import { eachOf } from "../model/each.js";
import {
  type IncarnationId,
  isIncarnationId,
  isRepair,
  NO_OPERATION,
  type OperationId,
  partsOf,
} from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { leavesNothing } from "../model/record.js";
import { type Baton, type Batons, isFinished } from "../protocol/baton.js";
import { type Head, type Heads, MissingRecordError, sameRights } from "../protocol/heads.js";
import { type Incarnation, identityOf } from "../protocol/incarnation.js";
import {
  bornName,
  DELETED,
  directoryLeaf,
  fencedName,
  generationName,
  namesIn,
  removeTree,
  stagedName,
  stagingOf,
} from "../protocol/names.js";
import { digestOf, type Store } from "../store/store.js";
import { type LiveName, type Name, NotPlainError, unless, type Volume, went } from "../volume/volume.js";
import type { Checkpoints } from "./checkpoints.js";
import type { History, PathHistory } from "./history.js";
import { Past } from "./past.js";
import { SharedSync } from "./shared-sync.js";
import type { Survivor } from "./survivor.js";
import { type Wave, waveOf } from "./waves.js";

export interface Replayed {
  readonly paths: number;
  /** Paths whose live file was not the head. */
  readonly republished: number;
  readonly leftOut: number;
}

const REPAIR_ATTEMPTS_MAX = 1000;
/** Revisions from before the checkpoint that a live file is compared with; the newest of them is what was there then. */
const OLDER_MAX = 16;

/**
 * Brings a local volume back to what was acknowledged, after its host may have lost power: names may have gone back in
 * time and unsynced contents may be gone, but the journals are durable. Runs before anything is served. Several
 * replicas may do it at once, each path under its baton, and again after being killed anywhere (I1, I7).
 */
export class Replay {
  /** Of what no checkpoint vouches for. */
  private history: History | undefined;
  private wholeHistory: History | undefined;
  /** In which start of a host an incarnation ran never changes. One that does not say so is asked again. */
  private readonly bootIds = new Map<IncarnationId, string>();
  private readonly synced: SharedSync;

  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly checkpoints: Checkpoints,
    private readonly batons: Batons,
    private readonly heads: Heads,
    private readonly store: Store,
    private readonly incarnation: Incarnation,
    private readonly survivor: Survivor,
    /** Paths that are worked on at once. */
    private readonly parallel: number,
  ) {
    this.synced = new SharedSync(volume);
  }

  /** Replays if this host has started anew since the volume was last brought up to date; undefined when it has not. */
  async runIfNeeded(): Promise<Replayed | undefined> {
    // On a network volume the server keeps every name it answered for, and contents were synced before publishing.
    const generations = (await namesIn(this.volume, "generations")).map(parseGeneration);
    const newest = generations.reduce((most, each) => Math.max(most, each.number), 0);
    const isCurrent = generations.some(({ number, bootId }) => number === newest && bootId === this.volume.bootId);
    const isNeeded = !isCurrent && this.volume.kind === "local" && !(await this.isNew(newest));
    const replayed = isNeeded ? await this.run() : undefined;
    if (!isCurrent) {
      const name = this.volume.control(generationName(newest + 1, this.volume.bootId));
      await went(this.volume.createWith(name, "", true), ["EEXIST"]);
    }
    // Also one that somebody else made: it may have died before this, and without it the next cut would go unnoticed.
    await this.volume.syncDirectory(this.volume.control("generations"));
    return replayed;
  }

  /**
   * Whether nothing can have been acknowledged on this volume before this start of the host: it knows no generation, and
   * nobody from another start. One that says nothing of itself yet is just beginning.
   */
  private async isNew(newest: number): Promise<boolean> {
    if (newest > 0) return false;
    for (const incarnation of await this.journals.incarnations()) {
      const identity = await identityOf(this.volume, incarnation);
      if (identity && identity.bootId !== this.volume.bootId) return false;
    }
    return true;
  }

  private async run(): Promise<Replayed> {
    const before = await this.incarnationsBefore();
    for (const incarnation of before) await removeTree(this.volume, stagingOf(incarnation));
    for (const name of await namesIn(this.volume, "committed"))
      if (before.has(partsOf(name as OperationId).incarnation)) await removeTree(this.volume, `committed/${name}`);

    const past = await Past.read(this.journals, this.checkpoints, this.batons, "unsettled", this.parallel);
    const history = past.history();
    this.history = history;
    for (const operation of history.leftOut) await this.journals.abort(operation, "left out after a power cut");
    const republished = await this.repairAll(past, history);
    await this.checkpoints.syncNames();
    // None of them forgets an abort because of another one that is final only now: a cut may come before that.
    for (const incarnation of before) {
      const final = past.finalOf(incarnation);
      if (final) await this.checkpoints.write(incarnation, final);
    }
    for (const incarnation of before) await this.survivor.close(incarnation);
    return { paths: history.paths.size, republished, leftOut: history.leftOut.length };
  }

  /** Repairs all paths, a wave after the other. Returns how many live files were others than they should be. */
  private async repairAll(past: Past, { paths }: History): Promise<number> {
    const waves: Record<Wave, FilePath[]> = { gone: [], made: [], files: [], removed: [] };
    for (const [path, { head }] of paths) {
      const wave = past.waveOf(path, head) ?? waveOf((await this.heads.headAt(path, head))?.change);
      waves[wave].push(path);
    }
    let republished = 0;
    const repair = async (path: FilePath): Promise<void> => {
      if (await this.repair(path)) republished += 1;
    };
    await eachOf(waves.gone, this.parallel, repair);
    await eachOf(waves.made.sort(), 1, repair);
    await eachOf(waves.files, this.parallel, repair);
    // The deepest first.
    await eachOf(waves.removed.sort().reverse(), 1, repair);
    return republished;
  }

  /** The incarnations that cannot have outlived the cut: all of another start of this host. */
  private async incarnationsBefore(): Promise<Set<IncarnationId>> {
    const names = new Set<string>();
    for (const directory of ["incarnations", "staging", "journal"] as const)
      for (const name of await namesIn(this.volume, directory)) names.add(name);
    const before = new Set<IncarnationId>();
    for (const name of names) if (isIncarnationId(name) && !(await this.isAfter(name))) before.add(name);
    return before;
  }

  private async isAfter(incarnation: IncarnationId): Promise<boolean> {
    const known = this.bootIds.get(incarnation) ?? (await identityOf(this.volume, incarnation))?.bootId;
    if (known !== undefined) this.bootIds.set(incarnation, known);
    return known === this.volume.bootId;
  }

  /**
   * The history of a path that a repair was begun on; undefined when there is none. Most often it is the one that was
   * read in the replay. Whoever meets an unfinished repair of a replayer that died later, when all is settled, has to
   * read everything.
   */
  private async historyOf(path: FilePath): Promise<PathHistory | undefined> {
    this.history ??= (
      await Past.read(this.journals, this.checkpoints, this.batons, "unsettled", this.parallel)
    ).history();
    const known = this.history.paths.get(path);
    if (known) return known;
    this.wholeHistory ??= (
      await Past.read(this.journals, this.checkpoints, this.batons, "all", this.parallel)
    ).history();
    return this.wholeHistory.paths.get(path);
  }

  /**
   * Makes live file and baton of `path` those of its head, under the baton. True when the live file was another one.
   * Called for unfinished repairs of others, too: what their baton calls the last operation may be out of date.
   */
  async repair(path: FilePath): Promise<boolean> {
    const known = await this.historyOf(path);
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
      const operation = known.head;
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
    await this.stage(operation, head);
    const taken = { ...settled, owner: operation, last: seen.last };
    if (!(await this.batons.move(seen, taken))) {
      await removeTree(this.volume, stagedName(operation));
      return false;
    }
    const done =
      head && !leavesNothing(head.change)
        ? await this.publish(path, operation, head)
        : await this.remove(path, operation, head);
    return done && (await this.batons.move(taken, settled));
  }

  private async fence(owner: OperationId): Promise<void> {
    const source = this.volume.control(stagedName(owner));
    await went(this.volume.rename(source, this.volume.control(fencedName(owner))), ["ENOENT"]);
  }

  /** The staged name: a copy of the head's content, or a directory: with the one that is to be made, and to move into. */
  private async stage(operation: OperationId, head: Head | undefined): Promise<void> {
    const staged = this.volume.control(stagedName(operation));
    const content = head?.change.content;
    if (!head || !content) {
      await this.volume.makeDirectory(staged);
      if (head?.change.kind !== "MAKE_DIRECTORY") return;
      const made = this.volume.control(`${stagedName(operation)}/${directoryLeaf(0)}`);
      await this.volume.makeDirectory(made, head.change.directoryMode);
      return;
    }
    await this.fill(staged, content, head.change.mtimeNs);
    await this.synced.sync();
  }

  private async fill(staged: Name, content: Content, mtimeNs: bigint): Promise<void> {
    await using handle = await this.volume.create(staged);
    let position = 0;
    for await (const chunk of this.store.read(content)) {
      const isAll = chunk.length === content.sizeBytes;
      if (isAll) return void (await handle.fill(chunk, { ...content, mtimeNs }, false));
      await handle.write(chunk, position);
      position += chunk.length;
    }
    await handle.setAttributes({ ...content, mtimeNs });
  }

  private async publish(path: FilePath, operation: OperationId, { change }: Head): Promise<boolean> {
    const { live } = await this.volume.locateWithParents(path);
    await using target = live;
    await this.keepUnknown(path, target);
    const staged = stagedName(operation);
    if (change.content) {
      // One that was removed before the file was written, and came back empty.
      await went(this.volume.removeDirectory(target), ["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST"]);
      return await went(this.volume.rename(this.volume.control(staged), target), ["ENOENT"]);
    }
    const gone = this.volume.control(`${staged}/${DELETED}`);
    if (!(await went(this.volume.rename(target, gone), ["ENOENT"])) && (await this.volume.stat(target))) return false;
    const made = await went(this.volume.rename(this.volume.control(`${staged}/${directoryLeaf(0)}`), target), [
      "ENOENT",
    ]);
    await removeTree(this.volume, staged);
    return made;
  }

  private async remove(path: FilePath, operation: OperationId, head: Head | undefined): Promise<boolean> {
    const live = await unless(["ENOENT"], this.volume.locate(path));
    if (live) {
      await using held = live;
      await this.keepUnknown(path, held);
      const gone = this.volume.control(`${stagedName(operation)}/${DELETED}`);
      if (!(await went(this.volume.rename(held, gone), ["ENOENT"])) && (await this.volume.stat(held))) return false;
      if (head?.change.kind === "REMOVE_DIRECTORY")
        await went(this.volume.removeDirectory(gone), ["ENOENT", "ENOTEMPTY", "EEXIST", "ENOTDIR"]);
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
    const sha256 = await this.digestAt(live, stats.sizeBytes);
    if (sha256 && (await this.isRevision(path, sha256))) return;
    await went(this.volume.makeDirectory(this.volume.control("found")), ["EEXIST"]);
    const name = `found/${pathHash(path)}.${stats.inode}.${stats.mtimeNs}`;
    await went(this.volume.link(live, this.volume.control(name)), ["EEXIST", "ENOENT"]);
  }

  /** Whether a content is that of a revision which names may have gone back to: any since the checkpoint, or one before. */
  private async isRevision(path: FilePath, sha256: Buffer): Promise<boolean> {
    // Only a path with a history is repaired.
    const { chain, head: newest } = (await this.historyOf(path)) as PathHistory;
    const stepsMax = chain.length + OLDER_MAX;
    let operation = newest;
    for (let step = 0; step < stepsMax && operation !== NO_OPERATION; step++) {
      const head = await this.heads.headAt(path, operation).catch(ignoreDamaged);
      if (head?.change.content && sameBytes(sha256, head.change.content.sha256)) return true;
      operation = head?.change.baseOperation ?? NO_OPERATION;
    }
    return false;
  }

  /**
   * Whether there is nothing to publish: the live file is the head, by its bytes, since after a cut attributes prove
   * nothing; or the path has no history; or somebody outside made a directory or a symlink of it, which stays.
   */
  private async holds(path: FilePath, head: Head | undefined): Promise<boolean> {
    if (!head) return true;
    const { content } = head.change;
    const examined = this.volume.examine(path, content?.sizeBytes ?? 0);
    const live = await unless(["ENOENT"], examined).catch((error: unknown) => {
      if (error instanceof NotPlainError) return "outside" as const;
      throw error;
    });
    if (live === "outside") return true;
    if (!live) return leavesNothing(head.change);
    const { stat, xattrs, sha256 } = live;
    if (stat.type === "directory") return head.change.kind === "MAKE_DIRECTORY" || !(await this.cameBack(path, head));
    if (stat.type !== "file") return true;
    if (!content || !sameRights(content, stat) || !sameXattrs(xattrs, content.xattrs)) return false;
    return sha256 !== undefined && sameBytes(sha256, content.sha256);
  }

  /** Whether a directory may be one of ours that names went back to: then it is empty once what was in it is gone. */
  private async cameBack(path: FilePath, { change }: Head): Promise<boolean> {
    if (change.kind !== "REMOVE_DIRECTORY" && !change.content) return false;
    return (await this.volume.listLive(path)).length === 0;
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

/** A damaged record of long ago is no reason not to repair a path: what cannot be compared with it is kept. */
function ignoreDamaged(error: unknown): undefined {
  if (!(error instanceof JournalCorruptError || error instanceof MissingRecordError)) throw error;
  return undefined;
}

/** `<number>.<boot id>`. */
function parseGeneration(name: string): { number: number; bootId: string } {
  const dot = name.indexOf(".");
  return { number: Number(name.slice(0, dot)), bootId: name.slice(dot + 1) };
}
