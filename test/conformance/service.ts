import type { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import type { Service } from "./run.js";

/** Two live replicas of one volume. */
export async function startService(cleanup: Cleanup): Promise<Service> {
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  // One after the other: the first begins the volume.
  const a = await startReplica({ cleanup, volume, redis: [redis.url] });
  const b = await startReplica({ cleanup, volume, redis: [redis.url] });
  return { volume, a: a.address, b: b.address };
}
