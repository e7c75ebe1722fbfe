import { mkdir } from "node:fs/promises";
import path from "node:path";
import { SafefileClient } from "@safefile/client";
import type { Cleanup } from "../test/cluster/cleanup.js";
import { type OtlpSink, startOtlpSink } from "../test/cluster/otlp.js";
import { type Redis, startRedis } from "../test/cluster/redis.js";
import { type Replica, startReplica } from "../test/cluster/replica.js";

/** Shorter than the default of 10 s, so that nobody has to wait long for the lease of a replica that was killed. */
export const LEASE_MS = 2_000;

const SETTINGS = { SAFEFILE_LEASE_MS: String(LEASE_MS), SAFEFILE_HEARTBEAT_MS: "500" };

/** A replica that is down is asked again for this long, with the same request id: long enough for a lease to end. */
const RETRY = { attemptsMax: 100, timeMsMax: 30_000, backoffMsMin: 50, backoffMsMax: 500 };

/** Two replicas, A and B, that serve one volume and share one Redis, all on this machine. */
export class Cluster {
  private constructor(
    readonly volume: string,
    readonly redis: Redis,
    readonly sink: OtlpSink,
    readonly a: Replica,
    public b: Replica,
    private readonly cleanup: Cleanup,
  ) {}

  static async start(cleanup: Cleanup, dir: string): Promise<Cluster> {
    const volume = path.join(dir, "volume");
    await mkdir(volume);
    const sink = await startOtlpSink({ cleanup });
    const redis = await startRedis({ cleanup, appendonly: true });
    const start = () => startReplica({ cleanup, volume, redis: [redis.url], env: SETTINGS });
    const [a, b] = await Promise.all([start(), start()]);
    return new Cluster(volume, redis, sink, a, b, cleanup);
  }

  /** Starts B again, a new incarnation. It exports its traces. */
  async startB(): Promise<void> {
    const { volume, cleanup, redis, sink } = this;
    this.b = await startReplica({ cleanup, volume, redis: [redis.url], env: { ...SETTINGS, ...sink.env } });
  }

  /** A client of one replica; given two, it goes to the second when the first is gone. */
  client(first: Replica, second?: Replica): SafefileClient {
    const address = second ? `ipv4:${first.address},${second.address}` : first.address;
    const client = new SafefileClient({ address, retry: RETRY });
    this.cleanup.defer(() => client.close());
    return client;
  }

  /** Where a path of the volume is on this machine: its files are plain files. */
  local(relative: string): string {
    return path.join(this.volume, relative);
  }
}
