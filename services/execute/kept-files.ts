import { z } from "zod";
import { OverloadedError } from "../errors/index.js";
import type { OperationId } from "../model/operation.js";
import { uploadName } from "../protocol/names.js";
import { type Handle, type Name, unless, type Volume, went } from "../volume/volume.js";
import { type KeptName, keptLeaf, outranks, parseKept, parseState, stateDraftLeaf, stateLeaf } from "./kept-name.js";

/** What is known of the bytes of a kept upload. */
const State = z.strictObject({
  /** The start of the host under which it was written. */
  bootId: z.string(),
  /** As many bytes from the start on were flushed. */
  syncedBytes: z.number().int().nonnegative(),
});

export interface Held {
  readonly name: KeptName;
  /** Bytes from the start on that can be believed. */
  readonly trustedBytes: number;
}

/**
 * The files of uploads that can be resumed. Several streams may believe that an upload is theirs, on several replicas,
 * some of them stopped in the middle: each has a file of its own, and the highest name is the upload. Every stream
 * makes its name before it looks for others, so of any two at least one sees the other: the lower one then gives up,
 * or the higher one removes the lower's name, without which the lower cannot commit.
 */
export class KeptFiles {
  constructor(
    private readonly volume: Volume,
    private readonly keptMax: number,
  ) {}

  /** A name above all that are there for `key`. Throws when there are too many uploads already, and none of this key. */
  async next(key: string, operation: OperationId): Promise<KeptName> {
    const all = await this.all();
    const own = all.filter((name) => name.key === key);
    if (own.length === 0 && all.length >= this.keptMax)
      throw new OverloadedError({ what: "unfinished uploads", limit: this.keptMax });
    return { key, generation: Math.max(0, ...own.map(({ generation }) => generation)) + 1, operation };
  }

  create(name: KeptName): Promise<Handle> {
    return this.volume.create(this.control(keptLeaf(name)));
  }

  openRead(name: KeptName): Promise<Handle | undefined> {
    return unless(["ENOENT"], this.volume.openRead(this.control(keptLeaf(name))));
  }

  async exists(name: KeptName): Promise<boolean> {
    return (await this.volume.stat(this.control(keptLeaf(name)))) !== undefined;
  }

  /** Records how many bytes are durable, all at once: a reader finds the state of before or this one. */
  async remember(name: KeptName, syncedBytes: number): Promise<void> {
    const draft = this.control(stateDraftLeaf(name));
    await went(this.volume.unlink(draft), ["ENOENT"]);
    await this.volume.createWith(draft, JSON.stringify({ bootId: this.volume.bootId, syncedBytes }), syncedBytes > 0);
    await this.volume.rename(draft, this.control(stateLeaf(name)));
  }

  /** The file with the most bytes that can be believed; the later one of equals. */
  async best(key: string): Promise<Held | undefined> {
    let best: Held | undefined;
    for (const name of await this.of(key)) {
      const trustedBytes = await this.trustedBytes(name);
      if (trustedBytes === 0) continue;
      const more = trustedBytes - (best?.trustedBytes ?? 0);
      if (!best || more > 0 || (more === 0 && outranks(name, best.name))) best = { name, trustedBytes };
    }
    return best;
  }

  /**
   * What a process wrote outlives the process, on its own host; not a power cut, and other hosts see only what was
   * flushed. Without a state that can be read nothing is believed: then a copy was not completed, or the state was torn.
   */
  private async trustedBytes(name: KeptName): Promise<number> {
    const stats = await this.volume.stat(this.control(keptLeaf(name)));
    const text = stats && (await this.volume.readSmall(this.control(stateLeaf(name))));
    const state = text === undefined ? undefined : parse(text);
    if (!stats || !state) return 0;
    if (this.volume.kind === "local" && state.bootId === this.volume.bootId) return stats.sizeBytes;
    return Math.min(stats.sizeBytes, state.syncedBytes);
  }

  /** Makes `name` the upload: false when a later stream has come, else all others of the key are gone. */
  async supersede(name: KeptName): Promise<boolean> {
    const others = (await this.of(name.key)).filter(({ operation }) => operation !== name.operation);
    if (others.some((other) => outranks(other, name))) return false;
    for (const other of others) await this.remove(other);
    return true;
  }

  /** The bytes first: a state without its bytes means nothing, bytes without their state are lost. */
  async remove(name: KeptName): Promise<void> {
    for (const leaf of [keptLeaf(name), stateLeaf(name), stateDraftLeaf(name)])
      await went(this.volume.unlink(this.control(leaf)), ["ENOENT"]);
  }

  /** Removes what nobody has written to since `beforeMs`. Returns how many uploads that were. */
  async removeOlder(beforeMs: number): Promise<number> {
    let removed = 0;
    for (const leaf of await this.leaves()) {
      const name = parseKept(leaf) ?? parseState(leaf);
      if (!name || (await this.changedMs(leaf)) >= beforeMs) continue;
      if (parseKept(leaf)) {
        await this.remove(name);
        removed += 1;
        // Only what has lost its bytes: the state of a slow upload may be older than its last byte.
      } else if (!(await this.exists(name))) await went(this.volume.unlink(this.control(leaf)), ["ENOENT"]);
    }
    return removed;
  }

  private async changedMs(leaf: string): Promise<number> {
    const stats = await this.volume.stat(this.control(leaf));
    return stats ? Number(stats.mtimeNs / 1_000_000n) : Number.POSITIVE_INFINITY;
  }

  private async of(key: string): Promise<KeptName[]> {
    return (await this.all()).filter((name) => name.key === key);
  }

  private async all(): Promise<KeptName[]> {
    return (await this.leaves()).map(parseKept).filter((name) => name !== undefined);
  }

  private async leaves(): Promise<string[]> {
    return (await this.volume.list(this.volume.control("uploads"))) ?? [];
  }

  private control(leaf: string): Name {
    return this.volume.control(uploadName(leaf));
  }
}

function parse(text: string): z.infer<typeof State> | undefined {
  try {
    return State.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
