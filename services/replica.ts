import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Gate } from "./api/mutations.js";
import { assemble, type Leave, type Parts } from "./assembly.js";
import type { Config } from "./config.js";
import { DrainingError, OverloadedError } from "./errors/index.js";

const DRAIN_STEP_MS = 10;

/** The life of one replica: it recovers, serves, looks after itself and others, and leaves in good order. */
export class Replica implements Gate {
  private readonly leaving = new AbortController();
  private beats = 0;
  private parts!: Parts;

  private constructor(
    private readonly config: Config,
    private readonly log: Logger,
    private readonly leave: Leave,
  ) {}

  /** Builds a replica; it serves nothing before `serve`. */
  static async start(config: Config, log: Logger, leave: Leave): Promise<Replica> {
    const replica = new Replica(config, log, leave);
    replica.parts = await assemble(config, log, replica, leave);
    return replica;
  }

  get id(): string {
    return this.parts.engine.incarnation.id;
  }

  /** Recovers, then serves. Returns the address. */
  async serve(): Promise<string> {
    const { server, engine } = this.parts;
    const { index, leases, replay } = engine;
    await index.connected();
    await leases.connected();
    // From the start: recovering may take longer than others wait for a sign of life.
    this.repeat("beat", () => this.beat());
    const replayed = await replay.runIfNeeded();
    if (replayed) {
      this.log.info(replayed, "replayed after a restart of the host");
      // What those before the cut had not told Redis would else be missing from the index, and from watches.
      await engine.rebuild.run();
    }
    await this.lookAfterOthers();
    const port = await server.listen(this.config.listen);
    this.repeat("recovery", () => this.lookAfterOthers());
    this.repeat("repair of the index", () => this.lookAfterIndex());
    this.repeat("cleaning of uploads", () => this.cleanUploads(), this.config.uploadCleanMs);
    server.setServing(true);
    return this.config.listen.replace(/:\d+$/, `:${port}`);
  }

  refusal(): DrainingError | OverloadedError | undefined {
    if (this.leaving.signal.aborted) return new DrainingError();
    if (this.parts.engine.announcer.isFull)
      return new OverloadedError({ what: "changes that Redis has not heard of", limit: this.config.indexBacklogMax });
    return undefined;
  }

  private async beat(): Promise<void> {
    const { incarnation, index } = this.parts.engine;
    if (!(await incarnation.beat())) {
      this.leave("this incarnation was declared dead by another replica");
      return;
    }
    this.beats += 1;
    await index.beat(incarnation.id, this.beats, 2 * this.config.incarnationDeadMs);
  }

  private async lookAfterOthers(): Promise<void> {
    await this.parts.engine.rebuild.runIfMissing();
    const ended = await this.parts.engine.survivor.look();
    if (ended.length === 0) return;
    this.parts.engine.repair.remember(ended);
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

  /** Does `work` every `everyMs` until the replica leaves. */
  private repeat(what: string, work: () => Promise<void>, everyMs = this.config.heartbeatMs): void {
    const { signal } = this.leaving;
    const loop = async (): Promise<void> => {
      while (!signal.aborted) {
        await work().catch((error: unknown) =>
          this.log.warn({ error: String(error) }, `${what} failed; it is tried again`),
        );
        await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    };
    loop().catch((error: unknown) => this.log.error({ err: error }, what));
  }

  /** Leaves in good order: no new changes, those under way get `drainMs`, then everything is released. */
  async stop(): Promise<void> {
    const { server, restores, watches, volume } = this.parts;
    const { pipeline, announcer, writer, leases, index, uploads } = this.parts.engine;
    this.leaving.abort();
    uploads.leave();
    server.setServing(false);
    restores.close();
    watches.close();
    await server.close(this.config.drainMs);
    const untilMs = performance.now() + this.config.drainMs;
    while (pipeline.size + uploads.size > 0 && performance.now() < untilMs) await sleep(DRAIN_STEP_MS);
    await announcer.settled(AbortSignal.timeout(this.config.drainMs));
    await writer.close();
    leases.close();
    index.close();
    await volume.close();
  }
}
