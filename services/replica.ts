import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Drained } from "./api/admin.js";
import { assemble, type Life, type Parts } from "./assembly.js";
import type { Config } from "./config.js";
import { DrainingError, OverloadedError, type SafeOperationError, VolumeUnavailableError } from "./errors/index.js";
import { Deadlocks } from "./lock/deadlocks.js";
import { pulse } from "./volume/pulse.js";

const DRAIN_STEP_MS = 10;
/** How often it is looked whether the volume answers, as a part of `volumeSilentMs`. */
const LOOKS = 5;

/** The life of one replica: it recovers, serves, looks after itself and others, and leaves in good order. */
export class Replica implements Life {
  /** Aborted when it takes no new changes. */
  private readonly leaving = new AbortController();
  /** Aborted when nothing is under way any more. Until then it shows life, or others would stop what it finishes. */
  private readonly closing = new AbortController();
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  private beats = 0;
  private serving = false;
  private recovered = false;
  private silent = false;
  private drained: Promise<Drained> | undefined;
  /** When what is under way is cut off. */
  private drainedByMs = 0;
  private parts!: Parts;

  private constructor(
    private readonly config: Config,
    private readonly log: Logger,
    readonly leave: (reason: string) => void,
    private readonly onDrained: () => void,
  ) {}

  /** Builds a replica; it serves nothing before `serve`. `onDrained` is called when an administrator takes it out. */
  static async start(
    config: Config,
    log: Logger,
    leave: (reason: string) => void,
    onDrained: () => void,
  ): Promise<Replica> {
    const replica = new Replica(config, log, leave, onDrained);
    replica.parts = await assemble(config, log, replica);
    return replica;
  }

  get id(): string {
    return this.parts.engine.incarnation.id;
  }

  get aborting(): AbortSignal {
    return this.stopping.signal;
  }

  get volumeAnswers(): boolean {
    return !this.silent;
  }

  get hasRecovered(): boolean {
    return this.recovered;
  }

  /** Recovers, then serves. Returns the address. */
  async serve(): Promise<string> {
    const { server, engine, notices } = this.parts;
    const { index, leases, replay } = engine;
    await index.connected();
    await leases.connected();
    // From the start: recovering may take longer than others wait for a sign of life.
    this.repeat("beat", this.closing.signal, () => this.beat());
    const deadlocks = new Deadlocks(leases, this.config);
    const look = async (): Promise<void> => {
      const ended = await deadlocks.look(this.closing.signal);
      if (ended > 0) this.log.info({ ended }, "ended waits that were in a circle");
    };
    this.repeat("looking for circles of waits", this.closing.signal, look, this.config.deadlockLookMs);
    // Before it recovers, which may take long: health says that it is not serving yet, and calls are told so.
    const port = await server.listen(this.config.listen);
    const replayed = await replay.runIfNeeded();
    if (replayed) {
      notices.replayed(replayed);
      this.log.info(replayed, "replayed after a restart of the host");
    }
    await this.lookAfterOthers();
    // What those before us had not told Redis would else be missing from the index, and from watches.
    await engine.tails.indexAll();
    this.parts.engine.checkpointer.start();
    this.recovered = true;
    this.repeat("recovery", this.leaving.signal, () => this.lookAfterOthers());
    this.repeat("repair of the index", this.leaving.signal, () => this.lookAfterIndex());
    this.repeat("cleaning of uploads", this.leaving.signal, () => this.cleanUploads(), this.config.uploadCleanMs);
    this.repeat("cleaning of locks", this.leaving.signal, () => this.cleanLocks(), this.config.lockCleanMs);
    setInterval(() => this.lookAtVolume(), this.config.volumeSilentMs / LOOKS).unref();
    this.serving = true;
    server.setServing(!this.silent);
    return this.config.listen.replace(/:\d+$/, `:${port}`);
  }

  refusal(): SafeOperationError | undefined {
    if (this.leaving.signal.aborted) return new DrainingError();
    if (this.parts.engine.announcer.isFull)
      return new OverloadedError({ what: "changes that Redis has not heard of", limit: this.config.indexBacklogMax });
    return undefined;
  }

  private async beat(): Promise<void> {
    const { incarnation, index } = this.parts.engine;
    const isAlive = await pulse.probe(() => incarnation.beat());
    if (!isAlive && !this.closing.signal.aborted) {
      this.leave("this incarnation was declared dead by another replica");
      return;
    }
    this.beats += 1;
    try {
      await index.beat(incarnation.id, this.beats, 2 * this.config.incarnationDeadMs);
    } catch (error) {
      this.parts.notices.indexAway();
      throw error;
    }
    this.parts.notices.indexAnswers();
  }

  private async lookAfterOthers(): Promise<void> {
    const rebuilt = await this.parts.engine.rebuild.runIfMissing();
    if (rebuilt) this.parts.notices.rebuilt(rebuilt);
    const ended = await this.parts.engine.survivor.look();
    if (ended.length === 0) return;
    this.log.info({ incarnations: ended }, "ended dead incarnations");
  }

  private async lookAfterIndex(): Promise<void> {
    const records = await this.parts.engine.repair.look();
    if (records > 0) this.log.warn({ records }, "Redis had gone back; what it forgot is indexed again");
  }

  private async cleanUploads(): Promise<void> {
    const removed = await this.parts.engine.uploads.clean();
    if (removed > 0) this.log.info({ removed }, "removed unfinished uploads that nobody came back for");
  }

  private async cleanLocks(): Promise<void> {
    const removed = await this.parts.engine.clientLocks.clean();
    if (removed > 0) this.log.info({ removed }, "removed the files of locks that are over");
  }

  /**
   * Refuses calls while the volume is silent, and answers those that wait for it: their threads are taken, the event loop
   * is not, so health goes on answering (I14).
   */
  private lookAtVolume(): void {
    const isSilent = pulse.silentMs > this.config.volumeSilentMs;
    if (isSilent === this.silent) return;
    this.silent = isSilent;
    const { server, notices } = this.parts;
    if (isSilent) {
      this.log.error({ pending: pulse.pending }, "the volume does not answer; calls are refused until it does");
      notices.volumeSilent();
      server.calls.answerAll(new VolumeUnavailableError(new Error("it does not answer")));
    } else {
      this.log.info("the volume answers again");
      notices.volumeAnswers();
    }
    server.setServing(this.serving && !isSilent);
  }

  /** Does `work` every `everyMs` until `signal`. */
  private repeat(
    what: string,
    signal: AbortSignal,
    work: () => Promise<void>,
    everyMs = this.config.heartbeatMs,
  ): void {
    const loop = async (): Promise<void> => {
      while (!signal.aborted) {
        await work().catch((error: unknown) => {
          this.parts.notices.failed(error);
          this.log.warn({ error: String(error) }, `${what} failed; it is tried again`);
        });
        await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    };
    this.loops.push(loop().catch((error: unknown) => this.log.error({ err: error }, what)));
  }

  onDrain(reason: string): void {
    this.log.info({ reason }, "an administrator takes this replica out");
    this.onDrained();
  }

  drain(drainMs: number): Promise<Drained> {
    this.drained ??= this.finishOrAbort(drainMs);
    return this.drained;
  }

  /**
   * No new changes; those under way get `drainMs` to finish. Then those that have not reached the journal stop, and the
   * others get `drainGraceMs` more. Never hangs.
   */
  private async finishOrAbort(drainMs: number): Promise<Drained> {
    const { server, restores, watches, notices } = this.parts;
    const { pipeline, uploads } = this.parts.engine;
    const underWay = pipeline.size;
    this.drainedByMs = performance.now() + drainMs;
    this.leaving.abort();
    this.serving = false;
    server.setServing(false);
    uploads.leave();
    server.calls.drainStreams();
    restores.close();
    watches.close();
    await this.untilIdle(drainMs);
    this.stopping.abort(new DrainingError());
    server.calls.abortChanges();
    await this.untilIdle(this.config.drainGraceMs / 2);
    const aborted = Math.min(underWay, notices.aborted + pipeline.size);
    await within(this.config.drainGraceMs / 2, this.handOver()).catch((error: unknown) =>
      this.log.warn({ error: String(error) }, "others have to settle what is left"),
    );
    return { finished: underWay - aborted, aborted };
  }

  private async untilIdle(ms: number): Promise<void> {
    const { pipeline, uploads } = this.parts.engine;
    const untilMs = performance.now() + ms;
    while (pipeline.size + uploads.size > 0 && performance.now() < untilMs) await sleep(DRAIN_STEP_MS);
  }

  /**
   * Gives back the leases and closes the incarnation, so that nobody has to wait for either. What is not settled for
   * certain is left to survivors: an incarnation that is closed too early would take a change with it (I1, I7).
   */
  private async handOver(): Promise<void> {
    const { pipeline, announcer, checkpointer, writer, leases, survivor } = this.parts.engine;
    const { notices } = this.parts;
    const limit = AbortSignal.timeout(this.config.drainGraceMs);
    await leases.settled(limit);
    await announcer.settled(limit);
    this.closing.abort();
    await Promise.all(this.loops);
    notices.incidents.closeAll();
    await notices.incidents.settled();
    if (pipeline.size > 0) throw new Error(`${pipeline.size} changes have not ended`);
    const left = whatIsLeft(announcer.backlog, notices.settled);
    await checkpointer.stop(left ? "next" : "final");
    await writer.close();
    if (left) throw new Error(left);
    if (!(await survivor.closeOwn())) throw new Error("a staged name is left");
    this.log.info("closed this incarnation; nothing of it is left to settle");
  }

  /** Leaves in good order, in bounded time. False when something did not end. */
  async stop(): Promise<boolean> {
    const { server, volume } = this.parts;
    const { leases, index } = this.parts.engine;
    await this.drain(this.config.drainMs);
    // Reads go on until here, and to their end while there is time.
    await server.close(Math.max(0, this.drainedByMs - performance.now()));
    leases.close();
    index.close();
    const closed = await within(
      this.config.drainGraceMs,
      volume.close().then(() => true),
    ).catch(() => false);
    return closed && this.parts.engine.pipeline.size === 0;
  }
}

/** Why survivors have to look at this incarnation although its changes have ended. */
function whatIsLeft(backlog: number, isSettled: boolean): string | undefined {
  if (backlog > 0) return "Redis has not heard of all changes";
  return isSettled ? undefined : "the outcome of a change is not settled";
}

/** Waits for `work`, but no longer than `ms`. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`it took longer than ${ms} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
