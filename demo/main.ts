/**
 * `make demo`: the story of Safefile on a real tree, the project's own node_modules. Everything is real: the replicas
 * are processes, the files are on a disk, the kill is a kill -9. Exit code 0 only when every claim has held.
 *
 * SAFEFILE_DEMO_FILES: how many files of the tree are used, all unless given. SAFEFILE_DEMO_DIR: where the temporary
 * volume is made, ./.run unless given; the system's temporary directory may be memory, where a flush means nothing.
 */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, realpath } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Cleanup } from "../test/cluster/cleanup.js";
import { Cluster, LEASE_MS } from "./cluster.js";
import { damage } from "./damage.js";
import { thinned, walk } from "./local-tree.js";
import { race } from "./race.js";
import { restoreTree } from "./restore.js";
import { bytes, duration, many, Story } from "./story.js";
import { traceOne } from "./trace.js";
import { upload } from "./upload.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const TARGET = "node_modules";
/** Fewer cannot be damaged, deleted and rewritten without getting into each other's way. */
const FILES_MIN = 30;
const LOG_CHARS_MAX = 2_000;

function filesMax(): number {
  const wanted = Number(process.env.SAFEFILE_DEMO_FILES || Number.POSITIVE_INFINITY);
  if (wanted >= FILES_MIN) return wanted;
  process.stderr.write(`SAFEFILE_DEMO_FILES must be a number from ${FILES_MIN} on.\n`);
  process.exit(1);
}

async function tell(story: Story, cleanup: Cleanup, dir: string, limit: number): Promise<void> {
  const whole = await walk(await realpath(path.join(root, TARGET)));
  const tree = thinned(whole, limit);

  story.chapter("Two replicas of one volume");
  const cluster = await Cluster.start(cleanup, dir);
  try {
    const { a, b, redis } = cluster;
    story.say(`Replica A  ${a.address}  process ${a.pid}  incarnation ${a.incarnation}`);
    story.say(`Replica B  ${b.address}  process ${b.pid}  incarnation ${b.incarnation}`);
    story.say(
      `Redis      ${redis.url.slice("redis://".length)}  process ${redis.pid}  append-only, flushed for each write`,
    );
    story.say(`Volume     ${cluster.volume}`);
    story.say(`Leases last ${duration(LEASE_MS)} instead of 10 s, to keep you from waiting; all else is as delivered.`);
    story.check(a.incarnation !== b.incarnation, "both replicas serve");

    story.chapter("A real tree is uploaded through both");
    const skipped = `${many(whole.symlinks, "symlink")} skipped`;
    const part = tree.files.length < whole.files.length ? `, out of ${many(whole.files.length, "file")}` : "";
    story.say(`./node_modules: ${many(tree.files.length, "file")}, ${bytes(tree.sizeBytes)}, ${skipped}${part}.`);
    await upload(story, cluster, tree, TARGET);

    story.chapter("Writers race on one file; kill -9 of a replica in the middle");
    await race(story, cluster);

    story.chapter("Files are damaged by hand and restored");
    await damage(story, cluster, tree, TARGET);

    story.chapter("The tree goes back to an earlier time");
    await restoreTree(story, cluster, tree, TARGET);

    story.chapter("One operation, traced");
    await traceOne(story, cluster, tree, TARGET);
  } catch (error) {
    for (const replica of [cluster.a, cluster.b])
      process.stderr.write(`\nThe end of the log of ${replica.address}:\n${replica.logs().slice(-LOG_CHARS_MAX)}\n`);
    throw error;
  }
}

async function main(): Promise<number> {
  const limit = filesMax();
  const parent = process.env.SAFEFILE_DEMO_DIR ?? path.join(root, ".run");
  await mkdir(parent, { recursive: true });
  const dir = await mkdtemp(path.join(await realpath(parent), "demo-"));
  // Whatever is made on the way is made in there.
  process.env.TMPDIR = dir;
  const cleanup = new Cleanup();
  // Also when interrupted: by then the processes have been killed. One that is not quite gone yet may still write.
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  process.once("exit", remove);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => process.stderr.write("\nInterrupted: ending the replicas, removing the volume.\n"));
  }
  process.once("SIGHUP", () => process.exit(129));

  const story = new Story(process.stdout);
  try {
    await tell(story, cleanup, dir, limit);
    return story.end();
  } catch (error) {
    process.stderr.write(`\nThe demo could not go on: ${(error as Error).stack ?? error}\n`);
    return 1;
  } finally {
    await cleanup.end();
  }
}

process.exit(await main());
