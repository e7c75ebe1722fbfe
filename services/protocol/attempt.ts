import { DrainingError, LockFencedError, OutcomeUnknownError } from "../errors/index.js";
import type { Journals } from "../journal/journals.js";
import { eachOf } from "../model/each.js";
import { isRepair, type OperationId, partsOf } from "../model/operation.js";
import { type FilePath, type PathHash, pathHash } from "../model/path.js";
import type { OperationRecord } from "../model/record.js";
import { codeOf, type Handle, type LiveName, type Name, type Stat, type Volume, went } from "../volume/volume.js";
import { type Baton, type Batons, isFinished } from "./baton.js";
import {
  committedName,
  deleteLeaf,
  directoryLeaf,
  fencedName,
  removeTree,
  stagedName,
  stagingOf,
  uploadName,
  writeLeaf,
} from "./names.js";
import type { Settler } from "./settle.js";

/** One path of an operation: the shape that decides which names it needs. */
export interface Part {
  readonly path: FilePath;
  readonly makes: "file" | "directory" | "nothing";
  /** Permission bits of a directory that it makes. */
  readonly mode: number | undefined;
  /** Published by link, so that it replaces nothing. */
  readonly createOnly: boolean;
  /** A finished upload that becomes the staged file. */
  readonly uploadId: string | undefined;
}

/** Paths of one operation that are prepared at once. */
const PARALLEL = 16;
const TAKE_ATTEMPTS_MAX = 1000;
const DIRECTORY_ATTEMPTS_MAX = 16;
const LEAVES = { file: writeLeaf, directory: directoryLeaf, nothing: deleteLeaf };

/** Throws the reason not to go on. */
type Going = Pick<AbortSignal, "throwIfAborted">;

/** To the operation that was the last one before its owner. */
const passedBack = (baton: Baton): Baton => ({ ...baton, owner: baton.last });

/**
 * One operation's way through the commit protocol, as its owner walks it: stage → take → (journal) → decide →
 * finish, or stop. It holds what must not be forgotten between the steps: which names exist, which batons are held,
 * whether a record may be durable.
 */
export class Attempt implements AsyncDisposable {
  /** Open staged files, by index of the part; none where no file is made. */
  readonly files: (Handle | undefined)[] = [];
  readonly batons = new Map<FilePath, Baton>();
  /** Directories made for the new files, to be removed again when nothing comes of it. */
  readonly madeDirectories: FilePath[] = [];
  /** Objects put into the store for it, of which nothing knows when it comes to nothing. */
  readonly objects: string[] = [];
  /** What was handed to the journal: from then on "not committed" needs an abort record first. */
  record: OperationRecord | undefined;
  /** Whether somebody else had stopped this operation before its owner gave it up. */
  fencedByRival = false;
  /** Whether the decision was seen to go through. */
  decided = false;
  /** What the files were right after they were published, by index of the part; none where nobody looked. */
  readonly published: (Stat | undefined)[] = [];
  /** The only live file as it was right after its baton was taken; undefined where it has to be looked for. */
  private found: { readonly live: LiveName; readonly stat: Stat | undefined } | undefined;
  private isPassedOn = false;
  private staged = false;
  /** One file decides by being renamed itself; everything else by the rename of its directory. */
  private readonly asDirectory: boolean;

  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly allBatons: Batons,
    private readonly settler: Settler,
    readonly operation: OperationId,
    /** Sorted by path: what it changes. */
    readonly parts: readonly Part[],
    /** Sorted by path: what it only looks at. Their batons are taken and passed back, so that nobody else publishes. */
    readonly checks: readonly FilePath[],
    /** Repeats a repair that its owner may have left undone. */
    private readonly repair: (path: FilePath) => Promise<unknown>,
  ) {
    this.asDirectory = parts.length > 1 || parts.some((part) => part.makes !== "file");
  }

  private get name(): Name {
    return this.volume.control(stagedName(this.operation));
  }

  /** `stage`, then `take`. */
  async enter(going: Going): Promise<void> {
    if (await this.enterAtOnce(going)) return;
    if (!this.staged) await this.stage();
    await this.take(going);
  }

  /** One trip for a file whose baton is most likely where it was left; false where it is not. */
  private async enterAtOnce(going: Going): Promise<boolean> {
    const [part, ...others] = this.parts;
    const isPlain = part && others.length + this.checks.length === 0 && !this.asDirectory && !part.uploadId;
    const seen = isPlain && this.allBatons.guess(pathHash(part.path));
    if (!seen) return false;
    going.throwIfAborted();
    const next = { ...seen, epoch: seen.epoch + 1, owner: this.operation };
    this.staged = true;
    const [created, renamed, found] = await this.volume.inOrder([
      () => this.volume.create(this.name),
      () => this.allBatons.rename(seen, next),
      () => this.volume.find(part.path),
    ]);
    if (created.status === "rejected") throw notStaged(created.reason);
    this.files[0] = created.value;
    // Whatever kept it from being found is met again by who looks for it.
    if (found.status === "fulfilled") this.found = found.value;
    if (!this.allBatons.moved(next, renamed)) return false;
    this.batons.set(part.path, next);
    return true;
  }

  /** What `enter` found at the live name, once: whoever takes it disposes of it. */
  takeFound(): { readonly live: LiveName; readonly stat: Stat | undefined } | undefined {
    const { found } = this;
    this.found = undefined;
    return found;
  }

  /** Creates the staged name, once. It must exist before a baton is taken: a rival fences by moving it away (I3). */
  async stage(): Promise<void> {
    try {
      await this.makeNames();
    } catch (error) {
      throw notStaged(error);
    }
  }

  private async makeNames(): Promise<void> {
    const staged = stagedName(this.operation);
    if (this.asDirectory) await this.volume.makeDirectory(this.name);
    this.staged = true;
    await eachOf(this.parts, PARALLEL, async (part, index) => {
      const leaf = this.asDirectory ? this.volume.control(`${staged}/${LEAVES[part.makes](index)}`) : this.name;
      if (part.makes !== "file") await this.volume.makeDirectory(leaf, part.mode);
      else if (part.uploadId) this.files[index] = await this.stageUpload(part.uploadId, leaf);
      else this.files[index] = await this.volume.create(leaf);
    });
  }

  private async stageUpload(uploadId: string, leaf: Name): Promise<Handle> {
    const upload = this.volume.control(uploadName(uploadId));
    // The name is ours alone, so if it is there, the reply to our link was lost.
    await went(this.volume.link(upload, leaf), ["EEXIST"]);
    // Before any baton is taken: from then on a second link means "published" to whoever settles this operation.
    await this.volume.unlink(upload);
    return this.volume.openWrite(leaf);
  }

  /** Takes the batons of all paths, begun in sorted order, settling owners that have not finished. */
  async take(going: Going): Promise<void> {
    const paths = [...this.parts.map(({ path }) => path), ...this.checks].sort();
    await eachOf(paths, PARALLEL, async (path) =>
      this.batons.set(path, await this.takeOne(path, pathHash(path), going)),
    );
  }

  private async takeOne(path: FilePath, hash: PathHash, going: Going): Promise<Baton> {
    for (let attempt = 0; attempt < TAKE_ATTEMPTS_MAX; attempt++) {
      going.throwIfAborted();
      const seen = (attempt === 0 && this.allBatons.guess(hash)) || (await this.allBatons.look(hash));
      if (!seen) {
        await this.allBatons.beBorn(this.operation, hash);
        continue;
      }
      if (seen.owner === this.operation) return seen; // the reply to our rename was lost
      if (isRepair(seen.owner) && !isFinished(seen)) {
        await this.repair(path);
        continue;
      }
      const last = await this.settler.lastAfter(seen, path);
      const next = { hash, epoch: seen.epoch + 1, owner: this.operation, last };
      if (await this.allBatons.move(seen, next)) return next;
    }
    throw new Error(`the baton of ${hash} moved away ${TAKE_ATTEMPTS_MAX} times`);
  }

  batonOf(path: FilePath): Baton {
    const baton = this.batons.get(path);
    if (!baton) throw new Error(`the baton of ${pathHash(path)} is not held`);
    return baton;
  }

  /** Whether nobody has stopped this operation so far. */
  async stillStaged(): Promise<boolean> {
    return (await this.volume.stat(this.name)) !== undefined;
  }

  /** The error that says this operation was stopped by a rival. */
  fencedError(): LockFencedError {
    return new LockFencedError({ path: this.parts[0]?.path ?? "", operationId: this.operation });
  }

  /**
   * Decides, by one rename or link whose source is the staged name. The record must be durable. Throws
   * LockFencedError when a rival was first, EEXIST when a create found a file, OutcomeUnknownError when this
   * incarnation was declared dead meanwhile.
   */
  async decide(live: LiveName | undefined): Promise<void> {
    const createOnly = !this.asDirectory && this.parts[0]?.createOnly;
    if (this.asDirectory || !live) {
      const committed = this.volume.control(committedName(this.operation));
      await this.decideBy(() => this.volume.rename(this.name, committed));
    } else await this.decideAt(live, (target) => (createOnly ? this.create(target) : this.publish(target)));
    // A rival that found our create unpublished, because somebody outside removed it again, has stopped it.
    if (
      createOnly &&
      !(await went(this.volume.unlink(this.name), ["ENOENT"])) &&
      (await this.whatBecame()) === "STOPPED"
    )
      throw this.fencedError();
    this.decided = true;
  }

  /** Decides at the live name; its directory may vanish and be made again as long as nothing is in it. */
  private async decideAt(live: LiveName, change: (target: LiveName) => Promise<void>): Promise<void> {
    if (await this.decideBy(() => change(live))) return;
    for (let attempt = 0; attempt < DIRECTORY_ATTEMPTS_MAX; attempt++) {
      const again = await this.volume.locateWithParents(live.path);
      this.madeDirectories.push(...again.made);
      await using target = again.live;
      if (await this.decideBy(() => change(target))) return;
    }
    throw Object.assign(new Error("the directory of the live file vanishes again and again"), { code: "ENOENT" });
  }

  /** Whatever befalls us behind the decision, `finish` does the rest. */
  private async publish(live: LiveName): Promise<void> {
    const baton = this.batonOf(live.path);
    const next = { ...baton, last: this.operation };
    const [published, looked, renamed] = await this.volume.inOrder([
      () => this.volume.rename(this.name, live),
      () => (this.files[0] as Handle).stat(),
      () => this.allBatons.rename(baton, next),
    ]);
    if (published.status === "rejected") throw published.reason;
    if (looked.status === "fulfilled") this.published[0] = looked.value;
    this.isPassedOn = renamed.status === "fulfilled" && this.allBatons.moved(next, renamed);
  }

  private async create(live: LiveName): Promise<void> {
    try {
      await this.volume.link(this.name, live);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      const [mine, found] = await Promise.all([this.files[0]?.stat(), this.volume.stat(live)]);
      if (mine?.inode !== found?.inode) throw error; // else the reply to our link was lost
    }
  }

  /** False when the directory of the live file has vanished: nothing is decided then. */
  private async decideBy(change: () => Promise<void>): Promise<boolean> {
    try {
      await change();
      return true;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      const found = await this.whatBecame();
      if (found === "STOPPED") throw this.fencedError();
      if (found === "UNKNOWN") throw new OutcomeUnknownError({ path: this.path, operationId: this.operation }, error);
      return found !== "STAGED";
    }
  }

  /** Looks where the staged name went. The order of the looks matters: our staging directory comes last. */
  private async whatBecame(): Promise<"STAGED" | "STOPPED" | "COMMITTED" | "UNKNOWN"> {
    if (await this.stillStaged()) return "STAGED";
    const fenced = await this.volume.stat(this.volume.control(fencedName(this.operation)));
    if (fenced) return fenced.type === "file" && fenced.links >= 2 ? "COMMITTED" : "STOPPED";
    const staging = await this.volume.stat(this.volume.control(stagingOf(partsOf(this.operation).incarnation)));
    return staging ? "COMMITTED" : "UNKNOWN";
  }

  /** After the decision: publishes what is left and passes the batons on. Rivals may have done either already. */
  async finish(): Promise<void> {
    const failures = this.asDirectory ? await this.settler.publishAll(this.operation) : new Map<FilePath, unknown>();
    const published = this.parts.filter(({ path }) => !failures.has(path));
    await Promise.all([
      this.look(),
      ...(this.isPassedOn ? [] : published).map(({ path }) =>
        this.passOn(path, (baton) => ({ ...baton, last: this.operation })),
      ),
      ...this.checks.map((path) => this.passOn(path, passedBack)),
    ]);
    for (const failure of failures.values()) throw failure;
  }

  /** Beside the batons. One that fails only makes whoever comes next look closer. */
  private async look(): Promise<void> {
    const looks = this.files.map((file, part) => this.published[part] ?? file?.stat());
    for (const [part, look] of (await Promise.allSettled(looks)).entries())
      if (look.status === "fulfilled") this.published[part] = look.value;
  }

  private passOn(path: FilePath, next: (baton: Baton) => Baton): Promise<boolean> {
    const baton = this.batonOf(path);
    return this.allBatons.move(baton, next(baton));
  }

  /**
   * Stops this operation, if it has not decided: fence, then a durable abort record where a record may exist, and
   * only then may anybody be told NOT_COMMITTED. Returns what it came to.
   */
  async stop(reason: string): Promise<"NOT_COMMITTED" | "COMMITTED" | "UNKNOWN"> {
    if (!this.staged) return "NOT_COMMITTED";
    const fenced = this.volume.control(fencedName(this.operation));
    const isOurs = await went(this.volume.rename(this.name, fenced), ["ENOENT"]);
    const found = await this.whatBecame();
    this.fencedByRival = !isOurs && found === "STOPPED";
    // Published by link and fenced all the same: its second name would later look like that of a stopped operation.
    if (found === "COMMITTED") await went(this.volume.unlink(fenced), ["ENOENT"]);
    if (this.record && found !== "STOPPED") return found === "COMMITTED" ? "COMMITTED" : "UNKNOWN";
    if (this.record) await this.journals.abort(this.operation, reason);
    // The fenced name must stay until this incarnation is closed; what it holds need not.
    for (const file of this.files) await file?.truncate(0);
    for (const baton of this.batons.values()) await this.allBatons.move(baton, passedBack(baton));
    // Without a record nobody here can take its absence for a commit, so its name need not stay.
    if (!this.record && isOurs && this.volume.kind === "local")
      await removeTree(this.volume, fencedName(this.operation));
    return "NOT_COMMITTED";
  }

  private get path(): FilePath {
    return this.parts[0]?.path as FilePath;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.takeFound()?.live, ...this.files].map((held) => held?.[Symbol.asyncDispose]()));
  }
}

/** Where our staging directory is gone, this incarnation was declared dead and is about to notice. */
const notStaged = (error: unknown): unknown => (codeOf(error) === "ENOENT" ? new DrainingError() : error);
