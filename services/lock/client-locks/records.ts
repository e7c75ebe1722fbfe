import { ulid } from "ulid";
import type { LeaseId } from "../../model/operation.js";
import { type Name, unless, type Volume, went } from "../../volume/volume.js";
import { type LockServer, textOf } from "../server.js";
import { conflict, type Target } from "../target.js";
import { fromText, isLockId, type LockRecord, toText } from "./record.js";

const DIRECTORY = "locks";
const DRAFT = "draft.";
const BROKEN = ".broken";
const LONGER = /^(.+\.[0-9]+)\.([0-9]+)$/;
/** A draft that is older than this was left by a replica that died. */
const DRAFT_MS_MAX = 3_600_000;

/** A lock's file, and how long it has been since the lock was acquired or renewed, by the volume's clock. */
export interface Kept {
  readonly record: LockRecord;
  readonly touchedMs: number;
  /** The longest that it was to last from then on. */
  readonly ttlMs: number;
}

/**
 * Clients' locks on the volume, a file each below `.safefile/locks/`. That it is there says that the lock was neither
 * released, broken nor superseded, whatever Redis remembers; whether it has expired, the lock servers know.
 */
export class LockRecords {
  /** Files never change under their names, so each is read once. */
  private readonly read = new Map<LeaseId, LockRecord>();
  private made = false;

  constructor(private readonly volume: Volume) {}

  private name(leaf: string): Name {
    return this.volume.control(`${DIRECTORY}/${leaf}`);
  }

  private async leaves(): Promise<string[]> {
    return (await this.volume.list(this.volume.control(DIRECTORY))) ?? [];
  }

  /** All locks that have a file. */
  async all(): Promise<LockRecord[]> {
    const ids = (await this.leaves()).filter(isLockId);
    const listed = new Set<LeaseId>(ids);
    for (const id of this.read.keys()) if (!listed.has(id)) this.read.delete(id);
    const found: LockRecord[] = [];
    for (const id of ids) {
      const record = await this.recordOf(id);
      if (record) found.push(record);
    }
    return found;
  }

  /** Undefined when it has no file, as far as this replica knows: one removed by another may still be remembered. */
  async recordOf(id: string): Promise<LockRecord | undefined> {
    if (!isLockId(id)) return undefined;
    const known = this.read.get(id);
    if (known) return known;
    const text = await this.textOf(id);
    const record = text === undefined ? undefined : fromText(id, text);
    if (record) this.read.set(id, record);
    return record;
  }

  private async textOf(leaf: string): Promise<string | undefined> {
    const handle = await unless(["ENOENT"], this.volume.openRead(this.name(leaf)));
    if (!handle) return undefined;
    await using open = handle;
    const buffer = Buffer.alloc((await open.stat()).sizeBytes);
    return buffer.toString("utf8", 0, await open.read(buffer, 0));
  }

  /** Whether its file is there now. */
  async isThere(id: LeaseId): Promise<boolean> {
    return isLockId(id) && (await this.volume.stat(this.name(id))) !== undefined;
  }

  /** Keeps a lock, durably. Complete before it has its name. */
  async add(record: LockRecord): Promise<void> {
    await this.create(record.entry.id, toText(record));
    this.read.set(record.entry.id, record);
  }

  private async create(leaf: string, text: string): Promise<void> {
    if (!this.made) {
      await went(this.volume.makeDirectory(this.volume.control(DIRECTORY)), ["EEXIST"]);
      await this.volume.syncDirectory(this.volume.control("."));
      this.made = true;
    }
    const draft = this.name(`${DRAFT}${ulid()}`);
    await this.volume.createWith(draft, text, true);
    await this.volume.rename(draft, this.name(leaf));
    await this.volume.syncDirectory(this.volume.control(DIRECTORY));
  }

  /** Keeps what became of a lock that was broken. */
  async mark(id: LeaseId, text: string): Promise<void> {
    if (isLockId(id)) await this.create(`${id}${BROKEN}`, text);
  }

  /** What `mark` kept. */
  async marked(id: LeaseId): Promise<string | undefined> {
    return isLockId(id) ? await this.textOf(`${id}${BROKEN}`) : undefined;
  }

  /** Removes files, durably: from then on nothing is done under these locks. Returns those that were there. */
  async remove(ids: readonly LeaseId[]): Promise<LeaseId[]> {
    const removed: LeaseId[] = [];
    for (const id of ids) {
      if (await went(this.volume.unlink(this.name(id)), ["ENOENT"])) removed.push(id);
      this.read.delete(id);
    }
    if (removed.length === 0) return removed;
    await this.volume.syncDirectory(this.volume.control(DIRECTORY));
    for (const leaf of await this.leaves()) {
      const [, id] = LONGER.exec(leaf) ?? [];
      if (removed.some((each) => each === id)) await went(this.volume.unlink(this.name(leaf)), ["ENOENT"]);
    }
    return removed;
  }

  /** Those that cannot be held together with `targets`, but for `own`: whoever was granted those knows that they are over. */
  async conflicting(targets: readonly Target[], own: LeaseId): Promise<LeaseId[]> {
    const all = await this.all();
    return all
      .map(({ entry }) => entry)
      .filter(({ id, targets: theirs }) => id !== own && theirs.some((a) => targets.some((b) => conflict(a, b))))
      .map(({ id }) => id);
  }

  /** The lock as its file has it; undefined when that is gone. */
  async kept(id: LeaseId): Promise<Kept | undefined> {
    const record = await this.recordOf(id);
    const stats = record && (await this.volume.stat(this.name(id)));
    if (!record || !stats) return undefined;
    const longer = (await this.leaves()).flatMap((leaf) => {
      const [, of, ms] = LONGER.exec(leaf) ?? [];
      return of === id ? [Number(ms)] : [];
    });
    return { record, touchedMs: Number(stats.ctimeNs / 1_000_000n), ttlMs: Math.max(record.ttlMs, ...longer) };
  }

  /** Begins its time anew, now for `ttlMs`. False when its file is gone. */
  async touch({ entry, ttlMs: knownMs }: LockRecord, ttlMs: number): Promise<boolean> {
    if (!(await went(this.volume.touch(this.name(entry.id)), ["ENOENT"]))) return false;
    if (ttlMs > knownMs) await went(this.volume.createWith(this.name(`${entry.id}.${ttlMs}`), "", false), ["EEXIST"]);
    return true;
  }

  /**
   * Puts the locks down again on a server that has forgotten what was granted: those that may still last, for as long
   * as they can at most. `marginMs` is for clocks that differ.
   */
  async restore(server: LockServer, marginMs: number): Promise<void> {
    for (const { entry } of await this.all()) {
      const kept = await this.kept(entry.id);
      const leftMs = kept ? kept.touchedMs + kept.ttlMs + marginMs - Date.now() : 0;
      if (!kept || leftMs <= 0) continue;
      await server.ask("install", entry.id, textOf(entry), Math.ceil(Math.min(kept.ttlMs, leftMs)));
      // Whoever ends a lock removes its file first, then has it forgotten: so one of us two sees the other.
      if (!(await this.isThere(entry.id))) await server.ask("release", entry.id, "ends", "[]");
    }
  }

  /** Removes what is left of locks that have no file any more, and drafts of replicas that died. */
  async removeRest(brokenKeepMs: number): Promise<void> {
    const leaves = await this.leaves();
    const ids = new Set(leaves.filter(isLockId));
    for (const leaf of leaves) {
      const [, of = ""] = LONGER.exec(leaf) ?? [];
      const keepMs = leaf.startsWith(DRAFT) ? DRAFT_MS_MAX : leaf.endsWith(BROKEN) ? brokenKeepMs : undefined;
      const stats = keepMs === undefined ? undefined : await this.volume.stat(this.name(leaf));
      const isOld = stats !== undefined && Date.now() - Number(stats.ctimeNs / 1_000_000n) > (keepMs ?? 0);
      if ((isLockId(of) && !ids.has(of)) || isOld) await went(this.volume.unlink(this.name(leaf)), ["ENOENT"]);
    }
  }
}
