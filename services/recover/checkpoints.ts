import { decodeFrame, encodeHeader, FrameType } from "../journal/frame.js";
import { type Mark, segmentName } from "../journal/position.js";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "../journal/record.js";
import { type IncarnationId, incarnationBytes, type OperationId, partsOf } from "../model/operation.js";
import { checkpointDraftName, checkpointName } from "../protocol/names.js";
import { type Name, unless, type Volume, went } from "../volume/volume.js";

/**
 * The files that say up to where a journal is settled (storage.proto, Checkpoint). One that is missing, damaged, or of
 * another incarnation counts as none: then that journal is read from its start, which is always right.
 */
export class Checkpoints {
  private drafts = 0;

  constructor(
    private readonly volume: Volume,
    private readonly own: IncarnationId,
    private readonly recordBytesMax: number,
  ) {}

  /** The checkpoint of `incarnation`; undefined when there is none to be trusted. */
  async read(incarnation: IncarnationId): Promise<Checkpoint | undefined> {
    const handle = await unless(["ENOENT"], this.volume.openRead(this.volume.control(checkpointName(incarnation))));
    if (!handle) return undefined;
    await using open = handle;
    const { sizeBytes } = await open.stat();
    if (sizeBytes > 2 * this.recordBytesMax) return undefined;
    const bytes = Buffer.alloc(sizeBytes);
    await open.read(bytes, 0);
    const frame = decodeFrame(bytes, 0, incarnationBytes(incarnation), this.recordBytesMax);
    if (typeof frame !== "object" || frame.type !== FrameType.checkpoint) return undefined;
    const checkpoint = decodeCheckpoint(frame.sequence, frame.payload);
    return (await this.isReached(incarnation, checkpoint.at)) ? checkpoint : undefined;
  }

  /** Of those that have ended, the sequence of the last record. */
  async ends(incarnations: readonly IncarnationId[]): Promise<Map<IncarnationId, number>> {
    const ends = new Map<IncarnationId, number>();
    for (const incarnation of incarnations) {
      const last = await this.read(incarnation);
      if (last?.isFinal) ends.set(incarnation, last.at.sequence);
    }
    return ends;
  }

  /** Whether the journal is as long as that: one that was cut off behind our back must be met, not passed over. */
  private async isReached(incarnation: IncarnationId, { segment, offset }: Mark): Promise<boolean> {
    const stats = await this.volume.stat(this.volume.control(segmentName(incarnation, segment)));
    return stats !== undefined && stats.sizeBytes >= offset;
  }

  /**
   * Puts `checkpoint` into the place of the last one, durably. What it says must be durable already.
   *
   * The draft lies in our staging directory, under a name that is used once: whoever declares us dead removes that
   * directory before writing the final checkpoint, so a late rename of ours fails with ENOENT instead of putting an older
   * checkpoint over it. An older one would be true as well, but abort records may have been forgotten because of the
   * final one.
   */
  async write(incarnation: IncarnationId, checkpoint: Checkpoint): Promise<void> {
    const payload = encodeCheckpoint(checkpoint);
    const { sequence } = checkpoint.at;
    const frame = { type: FrameType.checkpoint, sequence, durableSequence: sequence, payload };
    this.drafts += 1;
    const draft = this.volume.control(checkpointDraftName(this.own, this.drafts));
    const directory = this.volume.control("checkpoints");
    try {
      await this.fill(draft, [encodeHeader(frame, incarnationBytes(incarnation)), payload]);
      // A volume of before checkpoints has no directory for them.
      if (await went(this.volume.makeDirectory(directory), ["EEXIST"]))
        await this.volume.syncDirectory(this.volume.control("."));
      await this.volume.rename(draft, this.volume.control(checkpointName(incarnation)));
    } catch (error) {
      await went(this.volume.unlink(draft), ["ENOENT"]).catch(() => undefined);
      throw error;
    }
    await this.volume.syncDirectory(directory);
  }

  private async fill(draft: Name, bytes: Uint8Array[]): Promise<void> {
    await using handle = await this.volume.create(draft);
    await handle.writeAll(bytes, 0);
    await handle.sync();
  }

  /** Makes durable what was done so far, so that a checkpoint may speak of it. Throws DurabilityError (I10). */
  async syncNames(): Promise<void> {
    // On a network volume the server keeps every name it answered for, and contents were synced before publishing.
    if (this.volume.kind === "local") await this.volume.syncAll();
  }

  /** Those of `aborted` that are still to be named: their incarnations may be read again from before their records. */
  async stillNeeded(aborted: readonly OperationId[]): Promise<OperationId[]> {
    const over = new Map<IncarnationId, boolean>();
    for (const operation of aborted) {
      const { incarnation } = partsOf(operation);
      if (!over.has(incarnation)) over.set(incarnation, (await this.read(incarnation))?.isFinal ?? false);
    }
    return aborted.filter((operation) => !over.get(partsOf(operation).incarnation));
  }
}
