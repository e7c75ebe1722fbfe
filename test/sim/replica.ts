import type { Config } from "../../services/config.js";
import { buildEngine, type Engine } from "../../services/engine.js";
import { Index } from "../../services/index/index.js";
import { Leases } from "../../services/lock/leases.js";
import { openFormat } from "../../services/protocol/format.js";
import { isAlone } from "../../services/protocol/incarnation.js";
import type { Host, ProcessIdentity } from "../../services/volume/process.js";
import { type FakeRedis, FakeRedisClient, type RedisMeddling } from "./fake-redis.js";
import type { FakeVolume } from "./fake-volume.js";
import type { Actor } from "./scheduler.js";

const CHECKPOINT_CHANCE = 0.3;

/** What a replica of the simulation stands on. */
export interface Ground {
  readonly actor: Actor;
  readonly volume: FakeVolume;
  readonly redis: FakeRedis;
  readonly redisMeddling: RedisMeddling;
  readonly config: Config;
  readonly identity: ProcessIdentity;
  isProvenDead(other: ProcessIdentity): boolean;
  /** It ends itself. */
  leave(reason: string): void;
  warn(what: string, error: unknown): void;
}

/** The life of one replica, as services/replica.ts leads it, without gRPC. */
export class Replica {
  engine: Engine | undefined;
  isServing = false;
  /** What its replay did; undefined while there was none. */
  replayed: unknown;
  private readonly ended = Promise.withResolvers<"DEAD">();
  private beats = 0;

  constructor(
    readonly slot: number,
    readonly ground: Ground,
  ) {}

  get died(): Promise<"DEAD"> {
    return this.ended.promise;
  }

  get isAlive(): boolean {
    return this.ground.actor.state !== "dead";
  }

  /** Never runs again; whoever waits for it learns that the connection broke. */
  kill(): void {
    this.isServing = false;
    this.ended.resolve("DEAD");
  }

  /** Resolves when it serves. */
  start(): Promise<void> {
    return this.ground.actor.run(() => this.serve());
  }

  private async serve(): Promise<void> {
    const { volume, redis, redisMeddling, config, identity, isProvenDead, leave, warn } = this.ground;
    const { volumeId } = await openFormat(volume);
    const connect = () => FakeRedisClient.connect(redis, redisMeddling);
    const onError = (error: Error): void => warn("redis", error);
    const index = new Index(
      "redis://fake",
      volumeId,
      { commandTimeoutMs: config.indexTimeoutMs, requestIdKeepMs: config.requestIdKeepMs, changesKeptMax: 0 },
      onError,
      connect,
    );
    const leases = new Leases(
      ["redis://fake"],
      volumeId,
      { ...config, commandTimeoutMs: config.redisTimeoutMs },
      { isNothingGranted: () => isAlone(volume, leases.incarnation), restore: async () => undefined },
      onError,
      connect,
    );
    const host: Host = { identity, isProvenDead };
    const observer = { stage: <T>(_stage: unknown, _operation: unknown, call: () => Promise<T>) => call() };
    const told = { leave, warn, stuck: (dead: string, error: unknown) => warn(`stuck with ${dead}`, error) };
    const engine = await buildEngine({ volume, host, index, leases, observer }, config, told);
    this.engine = engine;
    this.repeat(() => this.beat(engine));
    this.replayed = await engine.replay.runIfNeeded();
    await this.lookAfterOthers(engine);
    this.repeat(() => this.lookAfterOthers(engine));
    // Not each time: what a cut takes back must differ.
    this.repeat(async () => {
      if (Math.random() < CHECKPOINT_CHANCE) await engine.checkpointer.run();
    });
    this.isServing = true;
  }

  private async beat({ incarnation, index }: Engine): Promise<void> {
    if (!(await incarnation.beat())) return this.ground.leave("declared dead");
    this.beats += 1;
    await index.beat(incarnation.id, this.beats, 2 * this.ground.config.incarnationDeadMs);
  }

  private async lookAfterOthers({ rebuild, survivor }: Engine): Promise<void> {
    await rebuild.runIfMissing();
    await survivor.look();
  }

  private repeat(work: () => Promise<void>): void {
    const loop = async (): Promise<void> => {
      for (;;) {
        await work().catch((error: unknown) => this.ground.warn("repeated", error));
        await new Promise((resolve) => setTimeout(resolve, this.ground.config.heartbeatMs));
      }
    };
    void loop();
  }
}
