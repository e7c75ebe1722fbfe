import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cleanup, endWithParent } from "../../test/cluster/cleanup.js";
import { freePort } from "../../test/cluster/redis.js";
import type { Contender } from "../contender.js";
import { Bucket } from "./bucket.js";

export interface MinioOptions {
  readonly cleanup: Cleanup;
  readonly binary: string;
  /** Where its one drive is; empty. */
  readonly directory: string;
  /**
   * MinIO syncs what an object is before it renames it into its place, and leaves the rename to the file system, which
   * makes it durable within seconds. With this it calls sync(2) after the rename, as our answer promises: all file
   * systems of the host, each time.
   */
  readonly isRenameSynced?: boolean;
}

const START_MS_MAX = 30_000;
const ROOT = { user: "safefile", password: "safefile-bench" };

/** MinIO with one drive and a bucket that keeps all versions. */
export async function minio({ cleanup, binary, directory, isRenameSynced = false }: MinioOptions): Promise<Contender> {
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
      MINIO_FS_OSYNC: isRenameSynced ? "on" : "off",
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
  return {
    name: isRenameSynced ? "MinIO, renames synced" : "MinIO",
    write: (file, bytes) => bucket.put(file, bytes),
    read: async (file) => void (await bucket.get(file)),
    async end() {
      bucket.close();
      await end();
    },
  };
}

const isReady = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/minio/health/cluster`).then(
    ({ ok }) => ok,
    () => false,
  );
