import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import { JOURNAL_START } from "../journal/position.js";
import type { Checkpoint } from "../journal/record.js";
import {
  type IncarnationId,
  isIncarnationId,
  isOperationId,
  isRepair,
  type OperationId,
  partsOf,
} from "../model/operation.js";
import { type FilePath, type PathHash, pathHash } from "../model/path.js";
import { type Batons, isFinished } from "../protocol/baton.js";
import { type Incarnation, identityOf } from "../protocol/incarnation.js";
import { bornName, closedName, incarnationName, namesIn, removeTree, stagingOf } from "../protocol/names.js";
import type { Settler } from "../protocol/settle.js";
import { type Name, unless, type Volume, went } from "../volume/volume.js";
import type { Checkpoints } from "./checkpoints.js";
import type { Tails } from "./tails.js";

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
    private readonly checkpoints: Checkpoints,
    private readonly index: Index,
    private readonly batons: Batons,
    private readonly tails: Tails,
    private readonly settler: Settler,
    private readonly own: Incarnation,
    private readonly deadMs: number,
    private readonly onError: (incarnation: IncarnationId, error: unknown) => void,
    /** Told of a death before it is closed: whoever is killed in between tells it again. */
    private readonly onDeath: (incarnation: IncarnationId) => Promise<void>,
  ) {}

  /** One look at all others; ends those that are dead. Returns them. */
  async look(): Promise<IncarnationId[]> {
    const ended: IncarnationId[] = [];
    for (const incarnation of await this.others()) {
      try {
        if (!(await this.isDead(incarnation))) continue;
        await this.end(incarnation);
        this.watched.delete(incarnation);
        ended.push(incarnation);
      } catch (error) {
        // One damaged journal must not keep the others from being recovered.
        this.onError(incarnation, error);
      }
    }
    return ended;
  }

  private async others(): Promise<IncarnationId[]> {
    const names = await namesIn(this.volume, "incarnations");
    return names.filter(isIncarnationId).filter((incarnation) => incarnation !== this.own.id);
  }

  private async isDead(incarnation: IncarnationId): Promise<boolean> {
    const identity = await identityOf(this.volume, incarnation);
    if (identity && this.own.host.isProvenDead(identity)) return true;
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
    const final = await this.settleJournaled(incarnation);
    await this.onDeath(incarnation);
    // Before it is closed, so that a survivor killed before this is repeated by the next.
    await this.checkpoints.syncNames();
    await this.checkpoints.write(incarnation, final);
    await this.close(incarnation);
  }

  /**
   * Closes this incarnation by itself, so that no survivor has to wait until it counts as dead. False when something of
   * it is not settled: then it is left to them. All its operations must have ended, and no new one may begin.
   */
  async closeOwn(): Promise<boolean> {
    const { id } = this.own;
    for (const name of await namesIn(this.volume, "committed"))
      if (isOperationId(name) && partsOf(name).incarnation === id) return false;
    // Fails when a staged name is left. From here on nothing of this incarnation can be published.
    if (!(await went(this.volume.removeDirectory(this.volume.control(stagingOf(id))), ["ENOTEMPTY", "EEXIST"])))
      return false;
    await this.close(id);
    return true;
  }

  /** Closes an incarnation of which no baton names an unfinished operation any more, and forgets its names. */
  async close(incarnation: IncarnationId): Promise<void> {
    // Kept for ever: whoever looks for its names later learns that they are gone for good, and when it lived.
    const own = this.volume.control(incarnationName(incarnation));
    const identity = (await this.volume.readSmall(own)) ?? "";
    await went(this.volume.createWith(this.volume.control(closedName(incarnation)), identity, true), ["EEXIST"]);
    await this.volume.syncDirectory(this.volume.control("closed"));
    await this.forget(incarnation);
    // Last, so that a survivor killed before this is repeated by the next.
    await went(this.volume.unlink(own), ["ENOENT"]);
  }

  /**
   * Fences its operations one by one, then removes its staging directory. Renaming the directory would be no fence:
   * whoever holds it open publishes through it.
   */
  private async emptyStaging(incarnation: IncarnationId): Promise<void> {
    const staging = stagingOf(incarnation);
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS_MAX; attempt++) {
      for (const name of (await this.volume.list(this.volume.control(staging))) ?? [])
        if (isOperationId(name)) await this.settler.fence(name);
        else await went(this.volume.unlink(this.volume.control(`${staging}/${name}`)), ["ENOENT"]);
      if (await went(this.volume.removeDirectory(this.volume.control(staging)), ["ENOTEMPTY", "EEXIST"]).catch(absent))
        return;
    }
    throw new Error(`${stagingOf(incarnation)} does not become empty`);
  }

  private async finishDecided(incarnation: IncarnationId): Promise<void> {
    for (const name of await namesIn(this.volume, "committed")) {
      if (!isOperationId(name) || partsOf(name).incarnation !== incarnation) continue;
      await this.settler.finish(name);
    }
  }

  /**
   * Moves on every baton that names an unfinished operation of it, and says of those that were stopped with a record
   * that they are. What Redis says decides nothing here: it only spares paths that are indexed. Returns what its final
   * checkpoint says once all that is durable.
   */
  private async settleJournaled(incarnation: IncarnationId): Promise<Checkpoint> {
    const { connection } = this.index;
    const indexed = await this.index.watermark(incarnation).catch(() => 0);
    const last = await this.checkpoints.read(incarnation);
    // What is before it needs no settling, but may need to be indexed.
    const from = last && last.at.sequence <= indexed ? last : undefined;
    const foreignAborts = new Set(last?.foreignAborts);
    let at = from?.at ?? JOURNAL_START;
    const journaled = new Set<OperationId>();
    const paths = new Map<FilePath, "indexed" | "open">();
    for await (const scanned of this.journals.scan(incarnation, from)) {
      at = scanned.next;
      if (scanned.type === "abort") {
        journaled.delete(scanned.operation);
        if (partsOf(scanned.operation).incarnation !== incarnation) foreignAborts.add(scanned.operation);
      } else {
        journaled.add(scanned.record.operation);
        for (const { path } of scanned.record.changes)
          paths.set(path, scanned.sequence <= indexed ? (paths.get(path) ?? "indexed") : "open");
      }
    }
    for (const operation of await this.fencedOf(incarnation)) {
      if (journaled.has(operation) && (await this.settler.fence(operation)) === "STOPPED")
        await this.journals.abort(operation, "its incarnation died");
    }
    for (const [path, state] of paths) {
      await this.passOn(path, incarnation);
      if (state === "open") await this.tails.indexPath(path);
    }
    if (at.sequence > indexed) await this.index.account(incarnation, at.sequence, connection);
    return { at, isFinal: true, foreignAborts: await this.checkpoints.stillNeeded([...foreignAborts]) };
  }

  private async fencedOf(incarnation: IncarnationId): Promise<OperationId[]> {
    const names = await namesIn(this.volume, "fenced");
    return names.filter(isOperationId).filter((operation) => partsOf(operation).incarnation === incarnation);
  }

  private async passOn(path: FilePath, incarnation: IncarnationId): Promise<void> {
    const baton = await this.batons.look(pathHash(path));
    if (!baton || isFinished(baton) || isRepair(baton.owner)) return;
    if (partsOf(baton.owner).incarnation !== incarnation) return;
    const last = await this.settler.lastAfter(baton, path);
    await this.batons.move(baton, { ...baton, owner: last, last });
  }

  private async forget(incarnation: IncarnationId): Promise<void> {
    for (const directory of ["fenced", "uploads", "births"] as const) {
      for (const name of await namesIn(this.volume, directory)) {
        if (!name.startsWith(`${incarnation}.`)) continue;
        if (directory === "births") await this.helpBirth(name);
        else await removeTree(this.volume, `${directory}/${name}`);
      }
    }
  }

  /** A birth that was announced is brought to its end; one that was not is removed. */
  private async helpBirth(name: string): Promise<void> {
    const hash = name.slice(name.lastIndexOf(".") + 1);
    const operation = name.slice(0, name.lastIndexOf("."));
    if (!isOperationId(operation) || !/^[0-9a-f]{40}$/.test(hash)) return;
    // Linked first: a paused maker may be just about to, and then `.born` must not name a file that is gone.
    const single = this.volume.control(`births/${name}`);
    await this.completeBirth(single, `births/${name}`);
    const born = this.volume.control(bornName(hash as PathHash));
    await went(this.volume.link(single, born), ["EEXIST", "ENOENT"]);
    // A power cut may bring back a birth that was over, where it keeps names without their order.
    if (await this.batons.look(hash as PathHash)) return void (await went(this.volume.unlink(single), ["ENOENT"]));
    await this.batons.beBorn(operation, hash as PathHash);
    if ((await this.volume.readSmall(born)) !== `births/${name}`) await went(this.volume.unlink(single), ["ENOENT"]);
  }

  /** Its maker may have died before it wrote the name into it; without that, `.born` would name nothing for ever. */
  private async completeBirth(single: Name, content: string): Promise<void> {
    const known = await this.volume.readSmall(single);
    if (known === undefined || known === content) return;
    const handle = await unless(["ENOENT"], this.volume.openWrite(single));
    if (!handle) return;
    await using open = handle;
    await open.write(Buffer.from(content), 0);
    await open.sync();
  }
}

function absent(error: unknown): true {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  return true;
}
