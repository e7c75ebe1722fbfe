/**
 * The same pipeline as people write it over grpc-js: npm redlock with three Redis, then the hand-written loop, in a
 * process of its own.
 */
import * as grpc from "@grpc/grpc-js";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { startRedis } from "../../test/cluster/redis.js";
import { type Contender, contentOf, type Place } from "../contender.js";
import { HandLoop } from "./hand-loop.js";
import { rawMethod, serve, startServer } from "./serving.js";

const SERVERS = 3;
const LEASE_MS = 10_000;
const RETRY_MS = 10;
const WRITE = rawMethod("/bench.Naive/Write", false, false);

export async function naive({ cleanup, directory }: Place): Promise<Contender> {
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => startRedis({ cleanup, appendonly: true })));
  const port = await startServer(cleanup, import.meta.url, directory, ...servers.map(({ url }) => url));
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  cleanup.defer(() => client.close());
  return {
    write: (path, sizeBytes) =>
      new Promise<void>((resolve, reject) => {
        const metadata = new grpc.Metadata();
        metadata.set("path", path);
        client.makeUnaryRequest(
          WRITE.path,
          WRITE.requestSerialize,
          WRITE.responseDeserialize,
          contentOf(sizeBytes),
          metadata,
          (error) => (error ? reject(error) : resolve()),
        );
      }),
  };
}

if (process.argv[2] === "serve") {
  const [directory, ...urls] = process.argv.slice(3) as [string, ...string[]];
  const redlock = new Redlock(
    urls.map((url) => new Redis(url)),
    { retryCount: -1, retryDelay: RETRY_MS, retryJitter: RETRY_MS },
  );
  const loop = new HandLoop(directory);
  const write = async (path: string, bytes: Buffer): Promise<Buffer> => {
    const lock = await redlock.acquire([path], LEASE_MS);
    try {
      await loop.write(path, bytes);
    } finally {
      await lock.release();
    }
    return Buffer.alloc(0);
  };
  await serve(
    { write: WRITE },
    {
      write: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
        const path = String(call.metadata.get("path")[0]);
        write(path, call.request).then(
          (answer) => reply(null, answer),
          (error: Error) => reply({ code: grpc.status.INTERNAL, details: error.message }),
        );
      },
    },
  );
}
