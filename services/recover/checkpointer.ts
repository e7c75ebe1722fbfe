import type { Journals } from "../journal/journals.js";
import type { Settled } from "../journal/settled.js";
import type { JournalEnd } from "../journal/writer.js";
import type { Checkpoints } from "./checkpoints.js";

export interface CheckpointLimits {
  /** How long what is new may wait for a checkpoint. */
  readonly checkpointMs: number;
  /** How much may have come to the journal until one is due at once. */
  readonly checkpointBytes: number;
}

/** How often the journal's growth is looked at. */
const LOOK_MS_MAX = 200;

/**
 * Says on the volume, every now and then, up to where our journal is settled, so that a replay has little to read.
 * One at a time; when nothing is new, nothing is written.
 */
export class Checkpointer {
  private last: JournalEnd = { sequence: 0, segment: 1, offset: 0, bytes: 0 };
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;
  private isAtWork = false;

  constructor(
    private readonly journals: Journals,
    private readonly settled: Settled,
    private readonly checkpoints: Checkpoints,
    private readonly writer: { readonly end: JournalEnd },
    private readonly limits: CheckpointLimits,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Bytes of our journal that would be read after a crash now. */
  get replayBytes(): number {
    return this.writer.end.bytes - this.last.bytes;
  }

  /** From now on whenever one is due, until `stop`. */
  start(): void {
    const { checkpointMs } = this.limits;
    this.dueMs = performance.now() + checkpointMs;
    this.timer = setInterval(() => this.look(), Math.min(checkpointMs, LOOK_MS_MAX));
    this.timer.unref();
  }

  /** Writes a last one, `final` when all is settled: an incarnation that left in order leaves nothing to read. */
  async stop(which: "next" | "final"): Promise<void> {
    clearInterval(this.timer);
    await this.run(which).catch(this.onError);
  }

  /** Writes one if there is anything new, after the one under way. */
  run(which: "next" | "final" = "next"): Promise<void> {
    this.writing = this.writing.catch(() => undefined).then(() => this.write(which));
    return this.writing;
  }

  private look(): void {
    const { checkpointMs, checkpointBytes } = this.limits;
    const isLarge = this.settled.end.bytes - this.last.bytes >= checkpointBytes;
    if (this.isAtWork || (!isLarge && performance.now() < this.dueMs)) return;
    this.isAtWork = true;
    this.run()
      .catch(this.onError)
      .finally(() => {
        this.isAtWork = false;
        this.dueMs = performance.now() + checkpointMs;
      });
  }

  private async write(which: "next" | "final"): Promise<void> {
    // In one tick: every abort record up to there is named, and nothing up to there is open.
    const at = this.settled.end;
    const aborted = this.journals.foreignAborts;
    const isFinal = which === "final" && at.sequence === this.writer.end.sequence;
    if (at.sequence <= this.last.sequence && !isFinal) return;
    // Only now is all of that durable which settled the records. After a failure nobody can know (I10).
    await this.checkpoints.syncNames();
    const foreignAborts = await this.checkpoints.stillNeeded(aborted);
    await this.checkpoints.write(this.journals.incarnation, { at, isFinal, foreignAborts });
    const needed = new Set(foreignAborts);
    const known = new Set(aborted);
    this.journals.forgetAborts((operation) => known.has(operation) && !needed.has(operation));
    this.last = at;
  }
}
