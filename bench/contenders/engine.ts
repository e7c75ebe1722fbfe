/** Everything below the gRPC edge, in its caller's process: what the engine does without RPC. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { schema } from "../../services/config.js";
import { buildEngine } from "../../services/engine.js";
import { Index } from "../../services/index/index.js";
import { Leases } from "../../services/lock/leases.js";
import type { Intent } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import { openFormat } from "../../services/protocol/format.js";
import { isAlone } from "../../services/protocol/incarnation.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { thisHost } from "../../services/volume/process.js";
import { startRedis } from "../../test/cluster/redis.js";
import { type Contender, contentOf, type Place, tenOf } from "../contender.js";

const NEVER = new AbortController().signal;
const LOCK_WAIT_MS = 60_000;

function fail(error: unknown): never {
  throw error instanceof Error ? error : new Error(String(error));
}

function toWrite(path: string, sizeBytes: number): Intent {
  const bytes = contentOf(sizeBytes);
  const source = { from: "bytes" as const, bytes, sha256: createHash("sha256").update(bytes).digest() };
  const precondition = { etag: undefined, ifRevision: undefined };
  return { path: path as FilePath, kind: "WRITE", mode: undefined, source, precondition };
}

export async function engine({ cleanup, directory }: Place): Promise<Contender> {
  const [root, dir] = [path.join(directory, "volume"), path.join(directory, "redis")];
  for (const each of [root, dir]) await mkdir(each);
  const redis = await startRedis({ cleanup, appendonly: true, dir });
  const config = schema.parse({});
  const volume = await PosixVolume.open(root, "local", fail);
  const { volumeId } = await openFormat(volume);
  const index = new Index(redis.url, volumeId, { ...config, commandTimeoutMs: config.indexTimeoutMs }, fail);
  const leases = new Leases(
    [redis.url],
    volumeId,
    { ...config, commandTimeoutMs: config.redisTimeoutMs },
    { isNothingGranted: () => isAlone(volume, leases.incarnation), restore: async () => undefined },
    fail,
  );
  const { incarnation, pipeline, announcer, rebuild, writer } = await buildEngine(
    { volume, host: thisHost(volume.bootId), index, leases, observer: { stage: (_stage, _operation, call) => call() } },
    config,
    { leave: fail, warn: (_what, error) => fail(error), stuck: (_dead, error) => fail(error) },
  );
  await index.connected();
  await leases.voting();
  await rebuild.runIfMissing();
  cleanup.defer(async () => {
    await announcer.settled(AbortSignal.timeout(LOCK_WAIT_MS));
    leases.close();
    index.close();
    await writer.close();
    await volume.close();
  });
  const wanted = { validateOnly: false, lockWaitMs: LOCK_WAIT_MS, priority: 0, labels: {}, traceId: "", signal: NEVER };
  const change = (intents: Intent[]): Promise<unknown> =>
    pipeline.run(beginOperation(incarnation, { ...wanted, intents, checks: [], requestId: "" }));
  return {
    write: (path, sizeBytes) => change([toWrite(path, sizeBytes)]),
    ten: (path, sizeBytes) => change(tenOf(path).map((each) => toWrite(each, sizeBytes))),
  };
}
