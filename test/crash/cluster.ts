import { SafefileClient } from "@safefile/client";
import type { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";

/** Short terms, so that many rounds fit into a test; every promise holds for any of them. */
const SETTINGS = { heartbeatMs: 250, incarnationDeadMs: 20_000, leaseMs: 1_000, logLevel: "warn" };

export interface Running {
  readonly replica: Replica;
  readonly client: SafefileClient;
}

/** Replicas over one volume and one Redis, and a client for each. */
export class Cluster {
  readonly running: Running[] = [];

  private constructor(
    private readonly cleanup: Cleanup,
    readonly volume: string,
    readonly redis: Redis,
    private readonly config: Readonly<Record<string, unknown>>,
  ) {}

  /** Over a volume of its own, or the directory given. */
  static async start(
    cleanup: Cleanup,
    replicas: number,
    config: Readonly<Record<string, unknown>> = {},
    directory?: string,
  ): Promise<Cluster> {
    const volume = directory ?? (await tempVolume(cleanup));
    const redis = await startRedis({ cleanup });
    const cluster = new Cluster(cleanup, volume, redis, { ...SETTINGS, ...config });
    for (let at = 0; at < replicas; at++) await cluster.add();
    return cluster;
  }

  get clients(): readonly SafefileClient[] {
    return this.running.map(({ client }) => client);
  }

  /** Begins to start a replica that may be killed before it is ready. */
  start(): { kill(): Promise<unknown> } {
    const kill = new AbortController();
    const started = this.spawn(kill.signal).catch((error: unknown) => error);
    return {
      kill: () => {
        kill.abort();
        return started;
      },
    };
  }

  private async spawn(kill?: AbortSignal): Promise<Replica> {
    const { cleanup, volume, redis, config } = this;
    const env = { SAFEFILE_LOG_LEVEL: "info" };
    const replica = await startReplica({ cleanup, volume, redis: [redis.url], config, env, ...(kill ? { kill } : {}) });
    return replica;
  }

  /** Starts a replica; in the place of `at` when given, with other settings when given. */
  async add(at = this.running.length, other: Readonly<Record<string, unknown>> = {}): Promise<Running> {
    const { cleanup, volume, redis } = this;
    const config = { ...this.config, ...other };
    const replica = await startReplica({
      cleanup,
      volume,
      redis: [redis.url],
      config,
      env: { SAFEFILE_LOG_LEVEL: "info" },
    });
    // Repeats are the test's own business: it must see every answer.
    const client = new SafefileClient({ address: replica.address, retry: { attemptsMax: 1 } });
    this.cleanup.defer(() => client.close());
    this.running[at]?.client.close();
    this.running[at] = { replica, client };
    return { replica, client };
  }
}
