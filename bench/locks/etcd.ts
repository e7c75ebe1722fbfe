import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import * as grpc from "@grpc/grpc-js";
import { type Cleanup, endWithParent } from "../../test/cluster/cleanup.js";
import { freePort } from "../../test/cluster/redis.js";
import type { Locker, Terms } from "./locker.js";

const LEASE_GRANT = "/etcdserverpb.Lease/LeaseGrant";
const LOCK = "/v3lockpb.Lock/Lock";
const UNLOCK = "/v3lockpb.Lock/Unlock";
const LEASE_SECONDS = 3_600;
const START_MS_MAX = 20_000;

/** One member of etcd, with its data on the disk of the benchmark. */
export async function startEtcd(cleanup: Cleanup, binary: string, flags: readonly string[]): Promise<string> {
  const directory = await mkdtemp(path.join(process.env.SAFEFILE_BENCH_DIR ?? tmpdir(), "safefile-etcd-"));
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const [clients, peers] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const child = spawn(
    binary,
    [
      ...["--data-dir", path.join(directory, "data"), "--log-level", "error", ...flags],
      ...["--listen-client-urls", clients, "--advertise-client-urls", clients],
      ...["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", `default=${peers}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  endWithParent(child);
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const address = new URL(clients).host;
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const untilMs = performance.now() + START_MS_MAX;
  while (!(await grant(client).catch(() => undefined))) {
    if (performance.now() > untilMs || child.exitCode !== null) throw new Error(`${binary} did not start`);
    await sleep(50);
  }
  client.close();
  return address;
}

/** Its lock service, with one connection and, as its sessions do, one lease for each who waits. */
export async function etcdLocker({ urls: [address = ""], waitersMax }: Terms): Promise<Locker> {
  const sessions = await Promise.all(
    Array.from({ length: waitersMax }, async () => {
      const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
        "grpc.use_local_subchannel_pool": 1,
      });
      return { client, lease: await grant(client) };
    }),
  );
  return {
    async acquire(key, waiter) {
      const { client, lease } = sessions[waiter] as (typeof sessions)[number];
      const asked = new BinaryWriter().uint32(tag(1, 2)).string(key).uint32(tag(2, 0)).int64(lease).finish();
      const held = fieldOf(await call(client, LOCK, asked), 2, (reader) => reader.bytes());
      const given = new BinaryWriter()
        .uint32(tag(1, 2))
        .bytes(held ?? new Uint8Array())
        .finish();
      return () => call(client, UNLOCK, given);
    },
  };
}

async function grant(client: grpc.Client): Promise<string> {
  const answer = await call(client, LEASE_GRANT, new BinaryWriter().uint32(tag(1, 0)).int64(LEASE_SECONDS).finish());
  const id = fieldOf(answer, 2, (reader) => reader.int64());
  if (id === undefined) throw new Error("etcd granted no lease");
  return String(id);
}

const tag = (field: number, wireType: number): number => (field << 3) | wireType;

function fieldOf<T>(bytes: Uint8Array, wanted: number, read: (reader: BinaryReader) => T): T | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) return read(reader);
    reader.skip(wireType);
  }
  return undefined;
}

function call(client: grpc.Client, method: string, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      method,
      (request: Uint8Array) => Buffer.from(request.buffer, request.byteOffset, request.byteLength),
      (answer: Buffer) => answer,
      bytes,
      (error, answer) => (error ? reject(error) : resolve(answer ?? new Uint8Array())),
    ),
  );
}
