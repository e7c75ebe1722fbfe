import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Cluster } from "./cluster.js";
import type { LocalTree } from "./local-tree.js";
import { eachParallel } from "./pool.js";
import { Progress } from "./progress.js";
import { bytes, count, duration, many, type Story } from "./story.js";

/** Changes under way at once, over both replicas. */
export const PARALLEL_MAX = 32;
/** More travels as a stream. */
const WRITE_BYTES_MAX = 1024 * 1024;

/** Puts the tree below `target`, every other file through the other replica. */
export async function upload(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<void> {
  const clients = [cluster.client(cluster.a), cluster.client(cluster.b)];
  const progress = new Progress(process.stdout, tree.files.length);
  let acknowledged = 0;
  let streamed = 0;
  await eachParallel(tree.files, PARALLEL_MAX, async (file, worker) => {
    const client = clients[worker % clients.length]!;
    const path = `${target}/${file.relative}`;
    const { mode, sizeBytes } = file;
    if (sizeBytes <= WRITE_BYTES_MAX) await client.write(path, await readFile(file.local), { mode });
    else {
      streamed += 1;
      await client.upload(path, () => createReadStream(file.local), { mode, sizeBytes });
    }
    acknowledged += 1;
    progress.add(sizeBytes);
  });
  const tookMs = progress.end();
  const speed = `${count((tree.files.length / tookMs) * 1000)} files/s, ${bytes((tree.sizeBytes / tookMs) * 1000)}/s`;
  story.say(
    `${many(acknowledged, "file")} acknowledged in ${duration(tookMs)}: ${speed}. ` +
      `${many(streamed, "file")} above 1 MiB came as a stream.`,
  );
  story.say("Each was flushed to the disk, read again and compared before it was acknowledged.");

  let listed = 0;
  for await (const info of clients[0]!.list(target, { recursive: true })) if (info.revision > 0n) listed += 1;
  story.check(listed === tree.files.length, `a listing shows all ${many(listed, "file")}`);
  story.figure(`${many(acknowledged, "file")} (${bytes(tree.sizeBytes)}) uploaded through two replicas: ${speed}`);
}
