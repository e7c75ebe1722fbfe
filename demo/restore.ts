import { setTimeout as sleep } from "node:timers/promises";
import { RestoreAction, type RestoreProgress, RestoreState } from "@safefile/client";
import type { Cluster } from "./cluster.js";
import { type LocalFile, type LocalTree, sha256Of, walk } from "./local-tree.js";
import { eachParallel } from "./pool.js";
import { Progress } from "./progress.js";
import { bytes, count, duration, many, type Story } from "./story.js";
import { PARALLEL_MAX } from "./upload.js";

/** Enough to see a bar move, and not more than a tenth of a small tree. */
const CHANGES_MAX = 900;
const READS_PARALLEL_MAX = 8;

/** Does to the tree what a bad release does, then sets it back to the time before. */
export async function restoreTree(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<void> {
  const before = new Date();
  // Times are kept in whole milliseconds: what comes next is to be later by any clock.
  await sleep(20);
  story.say(`It is ${before.toISOString()}, and all is well.`);
  const changed = await spoil(story, cluster, tree, target);

  const client = cluster.client(cluster.a);
  const startMs = performance.now();
  const { restoreId } = await client.startRestore(target, { tree: true, asOf: before, deleteExtra: true });
  let bar: Progress | undefined;
  let last: RestoreProgress | undefined;
  let restored = 0;
  for await (const { event } of client.watchRestore(restoreId)) {
    if (event.case === "item" && event.value.action === RestoreAction.RESTORED) restored += 1;
    if (event.case !== "progress") continue;
    last = event.value;
    // The total is known before the first file is restored; until then there is nothing to draw.
    if (last.counting) continue;
    bar ??= new Progress(process.stdout, Number(last.filesTotal));
    bar.to(Number(last.filesDone), Number(last.bytesDone));
  }
  bar?.end();
  const took = duration(performance.now() - startMs);
  story.check(
    last?.state === RestoreState.SUCCEEDED && restored === Number(last.filesRestored),
    `the restore has looked at ${many(Number(last?.filesTotal ?? 0), "file")} in ${took}: ` +
      `${count(Number(last?.filesRestored ?? 0))} restored, ${count(Number(last?.filesDeleted ?? 0))} deleted, ` +
      `${count(Number(last?.filesSkipped ?? 0))} needed nothing`,
  );
  await compare(story, cluster, tree, target);
  story.figure(`${many(changed, "change")} to the tree undone by one restore to an earlier time, in ${took}`);
}

async function spoil(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<number> {
  const clients = [cluster.client(cluster.a), cluster.client(cluster.b)];
  const step = Math.max(3, Math.floor(tree.files.length / CHANGES_MAX));
  const victims = tree.files.filter((_, at) => at % step === 0);
  const done = { rewritten: 0, deleted: 0, added: 0 };
  const progress = new Progress(process.stdout, victims.length);
  await eachParallel(victims.entries(), PARALLEL_MAX, async ([at, file], worker) => {
    const client = clients[worker % clients.length]!;
    const path = `${target}/${file.relative}`;
    if (at % 3 === 0) {
      await client.remove(path);
      done.deleted += 1;
    } else if (at % 3 === 1) {
      await client.write(path, Buffer.from(`replaced by release 2.0, file ${at}\n`), { mode: 0o600 });
      done.rewritten += 1;
    } else {
      await client.write(`${path}.orig`, Buffer.from(`left behind by release 2.0, file ${at}\n`));
      done.added += 1;
    }
    progress.add(0);
  });
  progress.end();
  const { rewritten, deleted, added } = done;
  story.say(`${count(rewritten)} files are rewritten, ${count(deleted)} deleted, ${count(added)} new ones added.`);
  return rewritten + deleted + added;
}

/** Past the service, with the plain files on the disk. */
async function compare(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<void> {
  const found = new Map((await walk(cluster.local(target))).files.map((file) => [file.relative, file]));
  const wrong: string[] = [];
  const isSame = async (file: LocalFile): Promise<boolean> => {
    const copy = found.get(file.relative);
    if (copy?.sizeBytes !== file.sizeBytes || copy.mode !== file.mode) return false;
    return (await sha256Of(copy)) === (await sha256Of(file));
  };
  await eachParallel(tree.files, READS_PARALLEL_MAX, async (file) => {
    if (!(await isSame(file))) wrong.push(file.relative);
  });
  for (const path of wrong.slice(0, 5)) story.say(`differs: ${path}`);
  story.check(
    wrong.length === 0 && found.size === tree.files.length,
    `all ${many(found.size, "file")} (${bytes(tree.sizeBytes)}) have the SHA-256 and mode of their originals; none is extra`,
  );
}
