import path from "node:path";
import { SafefileClient } from "@safefile/client";
import { Redis as RedisClient } from "ioredis";
import type { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { type Entry, snapshotTree, tempVolume } from "../cluster/volume.js";
import { RawClient } from "./raw.js";

/** One replica on a real directory with a real Redis, and both ways to talk to it. */
export interface World {
  readonly cleanup: Cleanup;
  readonly volume: string;
  readonly redis: Redis;
  readonly replica: Replica;
  /** The published client: what a user would see. */
  readonly client: SafefileClient;
  /** Sends whatever it is told to, also what the published client would refuse. */
  readonly raw: RawClient;
}

export async function startWorld(cleanup: Cleanup, env: Readonly<Record<string, string>> = {}): Promise<World> {
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  const replica = await startReplica({ cleanup, volume, redis: [redis.url], env });
  return { cleanup, volume, redis, replica, ...connect(cleanup, replica) };
}

/** Clients of `replica`, closed with the test. A repeated call would hide what the first answer was. */
export function connect(cleanup: Cleanup, replica: Replica): Pick<World, "client" | "raw"> {
  const client = new SafefileClient({ address: replica.address, retry: { attemptsMax: 1 } });
  const raw = new RawClient(replica.address);
  cleanup.defer(() => client.close());
  cleanup.defer(() => raw.close());
  return { client, raw };
}

/** What a refused change must leave as it was. */
export interface State {
  /** Everything that users see, with its times. */
  readonly live: ReadonlyMap<string, Entry>;
  /** What is on its way in: names only, since a directory's time says nothing about what is in it now. */
  readonly underWay: readonly string[];
}

/** Drafts of checkpoints come and go by the clock. */
const DRAFT = /^staging\/[^/]+\/checkpoint\.\d+$/;

const ON_THE_WAY = ["staging", "uploads", "committed"];

export async function stateOf(volume: string): Promise<State> {
  const control = path.join(volume, ".safefile");
  const names = ON_THE_WAY.map(async (directory) =>
    [...(await snapshotTree(path.join(control, directory))).keys()].map((name) => `${directory}/${name}`),
  );
  return {
    live: await snapshotTree(volume, { ignore: [".safefile"] }),
    underWay: (await Promise.all(names)).flat().filter((name) => !DRAFT.test(name)),
  };
}

/** Makes Redis forget everything. */
export async function flush(redis: Redis): Promise<void> {
  const client = new RedisClient(redis.url, { lazyConnect: true });
  await client.connect();
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}
