import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithParent } from "../../test/cluster/cleanup.js";
import { freePort } from "../../test/cluster/redis.js";
import { type Contender, contentOf, type Place } from "../contender.js";
import { peer } from "../peers.js";
import { Bucket } from "./bucket.js";

const START_MS_MAX = 30_000;
const ROOT = { user: "safefile", password: "safefile-bench" };

/**
 * MinIO with one drive and a bucket that keeps all versions. It syncs what an object is before it renames it into its
 * place, and leaves the rename to the file system, which makes it durable within seconds: less than our answer promises.
 */
export async function minio({ cleanup, directory }: Place): Promise<Contender> {
  const binary = await peer("minio");
  const port = await freePort();
  let output = "";
  const child = spawn(binary, ["server", "--quiet", "--address", `127.0.0.1:${port}`, directory], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      MINIO_ROOT_USER: ROOT.user,
      MINIO_ROOT_PASSWORD: ROOT.password,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off",
    },
  });
  endWithParent(child);
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-16_384);
    });
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  }).then(() => {
    over = true;
  });
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  cleanup.defer(end);
  const untilMs = performance.now() + START_MS_MAX;
  while (!(await isReady(port))) {
    if (over || performance.now() > untilMs) throw new Error(`${binary} did not start:\n${output}`);
    await sleep(50);
  }
  const bucket = await Bucket.create(port, "bench", ROOT);
  cleanup.defer(() => bucket.close());
  return {
    write: (file, sizeBytes) => bucket.put(file, contentOf(sizeBytes)),
    read: (file) => bucket.get(file),
  };
}

const isReady = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/minio/health/cluster`).then(
    ({ ok }) => ok,
    () => false,
  );
