import assert from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AcquireLockRequestSchema,
  type Lock,
  LockMode,
  LockScope,
  LockService,
  SafefileClient,
  SafefileError,
} from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";

/** Several replicas on one volume, with the lock servers that they share, and a client of each. */
export class Cluster {
  readonly cleanup = new Cleanup();
  volume = "";
  servers: Redis[] = [];
  replicas: Replica[] = [];
  clients: SafefileClient[] = [];

  async start(replicas: number, servers = 1, env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.volume = await tempVolume(this.cleanup);
    this.servers = await Promise.all(Array.from({ length: servers }, () => startRedis({ cleanup: this.cleanup })));
    for (let at = 0; at < replicas; at++) await this.add(env);
  }

  async add(env: Readonly<Record<string, string>> = {}): Promise<SafefileClient> {
    const { cleanup, volume, servers } = this;
    const replica = await startReplica({ cleanup, volume, redis: servers.map(({ url }) => url), env });
    // A repeated call would hide what the first answer was.
    const client = new SafefileClient({ address: replica.address, retry: { attemptsMax: 1 } });
    cleanup.defer(() => client.close());
    this.replicas.push(replica);
    this.clients.push(client);
    return client;
  }
}

type Request = Omit<MessageInitShape<typeof AcquireLockRequestSchema>, "$typeName">;

export const exclusive = (path: string) => ({ path, scope: LockScope.PATH, mode: LockMode.EXCLUSIVE });
export const shared = (path: string) => ({ path, scope: LockScope.PATH, mode: LockMode.SHARED });
export const tree = (path: string, mode = LockMode.EXCLUSIVE) => ({ path, scope: LockScope.SUBTREE, mode });

/** Locks, without waiting unless `more` says how long. */
export async function acquire(
  client: SafefileClient,
  targets: NonNullable<Request["targets"]>,
  more: Omit<Request, "targets" | "ttl" | "lockWait"> & { ttlMs?: number; waitMs?: number } = {},
): Promise<Lock> {
  const { ttlMs = 30_000, waitMs = 0, ...rest } = more;
  const { lock } = await client.call(LockService.method.acquireLock, {
    targets,
    ttl: durationFromMs(ttlMs),
    lockWait: durationFromMs(waitMs),
    ...rest,
  });
  assert.ok(lock);
  return lock;
}

export const renew = (client: SafefileClient, { lockId }: Lock, ttlMs = 30_000) =>
  client.call(LockService.method.renewLock, { lockId, ttl: durationFromMs(ttlMs) });

export const release = async (client: SafefileClient, { lockId }: Lock): Promise<boolean> =>
  (await client.call(LockService.method.releaseLock, { lockId })).released;

/** The reason of a failure. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "OK",
    (error: unknown) => (error instanceof SafefileError ? (error.reason ?? "") : String(error)),
  );
}

export const tokenOf = ({ targets }: Lock, at = 0): bigint => targets[at]?.fencingToken ?? -1n;

/** A write under a lock, without waiting. */
export const writeUnder = (client: SafefileClient, path: string, text: string, lockId: string, lockWaitMs = 0) =>
  client.write(path, Buffer.from(text), { lockWaitMs, lockId });
