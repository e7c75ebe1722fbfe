/** Safefile as its callers meet it: replicas of their own, Redis with an fsync for every write, the TypeScript client. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type FileWrite, SafefileClient } from "@safefile/client";
import { type Redis, startRedis } from "../../test/cluster/redis.js";
import { type Replica, startReplica } from "../../test/cluster/replica.js";
import { type Contender, chunksOf, contentOf, type Place, tenOf } from "../contender.js";

const PREPARED_IN_FLIGHT = 256;

export interface Safefile {
  readonly volume: string;
  readonly redis: Redis;
  readonly replicas: readonly Replica[];
  /** One for each replica. */
  readonly clients: readonly SafefileClient[];
}

export async function startSafefile(
  { cleanup, directory }: Place,
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Safefile> {
  const [volume, dir] = [path.join(directory, "volume"), path.join(directory, "redis")];
  for (const each of [volume, dir]) await mkdir(each);
  const redis = await startRedis({ cleanup, appendonly: true, dir });
  const start = () =>
    startReplica({ cleanup, volume, redis: [redis.url], env: { SAFEFILE_LOG_LEVEL: "info", ...env } });
  const replicas = await Promise.all(Array.from({ length: count }, start));
  const clients = replicas.map(({ address }) => new SafefileClient({ address }));
  cleanup.defer(() => clients.map((client) => client.close()));
  return { volume, redis, replicas, clients };
}

/** Calls go to the replicas in turn. */
export function unary(clients: readonly SafefileClient[]): Contender {
  let calls = 0;
  const next = (): SafefileClient => {
    calls += 1;
    return clients[calls % clients.length] as SafefileClient;
  };
  const prepare = async (paths: readonly string[], sizeBytes: number): Promise<void> => {
    const writes = paths.map((path) => ({ path, data: contentOf(sizeBytes) }));
    for await (const { error } of next().writeMany(writes, { inFlight: PREPARED_IN_FLIGHT })) if (error) throw error;
  };
  return {
    write: (path, sizeBytes) => next().write(path, contentOf(sizeBytes)),
    ten: (path, sizeBytes) =>
      next().transaction(tenOf(path).map((each) => ({ path: each, action: "write", data: contentOf(sizeBytes) }))),
    read: (path) => next().read(path),
    stat: (path) => next().stat(path),
    list: (file) => first(next().list(path.posix.dirname(file)), 1_000),
    revisions: (path) => first(next().revisions(path, { pageSize: 100 }), 100),
    upload: (path, sizeBytes) => next().upload(path, chunksOf(sizeBytes), { sizeBytes }),
    download: async (path) => {
      for await (const _chunk of await next().download(path));
    },
    prepare: (paths, sizeBytes) =>
      sizeBytes > 1024 * 1024 ? uploads(next(), paths, sizeBytes) : prepare(paths, sizeBytes),
  };
}

async function uploads(client: SafefileClient, paths: readonly string[], sizeBytes: number): Promise<void> {
  for (const path of paths) await client.upload(path, chunksOf(sizeBytes), { sizeBytes });
}

async function first<T>(items: AsyncIterable<T>, count: number): Promise<void> {
  let left = count;
  for await (const _item of items) {
    left -= 1;
    if (left === 0) return;
  }
}

export const safefile =
  (replicas: number) =>
  async (place: Place): Promise<Contender> =>
    unary((await startSafefile(place, replicas)).clients);

/** Ten files one after the other, each acknowledged before the next. */
export async function oneByOne(place: Place): Promise<Contender> {
  const [client] = (await startSafefile(place, 1)).clients as [SafefileClient];
  return {
    ten: async (path, sizeBytes) => {
      for (const each of tenOf(path)) await client.write(each, contentOf(sizeBytes));
    },
  };
}

/** All writes on one stream, as many in flight as there are callers. */
export async function stream(safefile: Safefile, place: Place): Promise<Contender> {
  const [client] = safefile.clients as [SafefileClient];
  const answered = new Map<string, PromiseWithResolvers<void>>();
  const waiting: FileWrite[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  place.cleanup.defer(() => {
    isOver = true;
    wake.resolve();
  });
  async function* writes(): AsyncGenerator<FileWrite> {
    while (!isOver) {
      const next = waiting.shift();
      if (next) yield next;
      else {
        wake = Promise.withResolvers();
        await wake.promise;
      }
    }
  }
  const read = async (): Promise<void> => {
    for await (const { requestId, error } of client.writeMany(writes(), { inFlight: 1_024 })) {
      const caller = answered.get(requestId);
      answered.delete(requestId);
      if (error) caller?.reject(error);
      else caller?.resolve();
    }
  };
  read().catch((error: unknown) => {
    for (const caller of answered.values()) caller.reject(error);
  });
  const { prepare } = unary([client]);
  let sent = 0;
  return {
    write: (path, sizeBytes) => {
      const caller = Promise.withResolvers<void>();
      sent += 1;
      const requestId = `stream-${sent}`;
      answered.set(requestId, caller);
      waiting.push({ path, data: contentOf(sizeBytes), requestId });
      wake.resolve();
      return caller.promise;
    },
    ...(prepare ? { prepare } : {}),
  };
}
