import { open, rm } from "node:fs/promises";
import { isReason, type Revision, RevisionKind, type SafefileClient } from "@safefile/client";
import type { Cluster } from "./cluster.js";
import { type LocalFile, type LocalTree, sha256Of } from "./local-tree.js";
import { all } from "./pool.js";
import { bytes, many, type Story } from "./story.js";

const DAMAGE = Buffer.from("### overwritten by hand, past the service ###");

/** Spoils files as a program that knows nothing of the service would, and brings them back. */
export async function damage(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<void> {
  const client = cluster.client(cluster.b, cluster.a);
  const [small, deleted, large] = victims(tree);
  let restored = 0;
  for (const file of [small, large]) {
    await overwrite(cluster.local(`${target}/${file.relative}`), file.sizeBytes);
    story.say(`${target}/${file.relative} (${bytes(file.sizeBytes)}): bytes in the middle are overwritten in place.`);
    restored += await restore(story, cluster, client, file, target, RevisionKind.EXTERNAL);
  }
  await rm(cluster.local(`${target}/${deleted.relative}`));
  story.say(`${target}/${deleted.relative} (${bytes(deleted.sizeBytes)}): deleted with rm.`);
  restored += await restore(story, cluster, client, deleted, target, RevisionKind.EXTERNAL_DELETE);
  story.figure(`${many(restored, "file")} damaged by hand: noticed, the damage kept as a revision, the bytes restored`);
}

/** Two small ones and the largest, all of them different. */
function victims({ files }: LocalTree): [LocalFile, LocalFile, LocalFile] {
  const bySize = files.toSorted((left, right) => left.sizeBytes - right.sizeBytes);
  const large = bySize.pop();
  const [small, deleted] = bySize.filter(({ sizeBytes }) => sizeBytes > 4 * DAMAGE.length);
  if (!small || !deleted || !large) throw new Error("the tree has too few files to damage");
  return [small, deleted, large];
}

/** In place, as an editor or a stray pointer does it: the file keeps its inode and its size. */
export async function overwrite(local: string, sizeBytes: number): Promise<void> {
  const handle = await open(local, "r+");
  try {
    await handle.write(DAMAGE, 0, DAMAGE.length, Math.floor((sizeBytes - DAMAGE.length) / 2));
  } finally {
    await handle.close();
  }
}

async function restore(
  story: Story,
  cluster: Cluster,
  client: SafefileClient,
  file: LocalFile,
  target: string,
  kind: RevisionKind,
): Promise<number> {
  const path = `${target}/${file.relative}`;
  const local = cluster.local(path);
  const expected = await sha256Of(file);
  story.check(await isNoticed(client, path), "the service notices");
  const damaged = kind === RevisionKind.EXTERNAL ? await sha256Of({ ...file, local }) : undefined;
  await client.rollback(path, 1);
  const isBack = (await sha256Of({ ...file, local })) === expected;
  story.check(isBack, "after a rollback to revision 1 the file is what it was, byte for byte");

  const revisions = await all(client.revisions(path));
  for (const revision of revisions) story.say(`    ${lineOf(revision)}`);
  const kept = revisions.find((revision) => revision.kind === kind);
  if (damaged === undefined) story.check(kept !== undefined, "that it was missing is on record");
  else {
    const isKept = kept !== undefined && Buffer.from(kept.sha256).toString("hex") === damaged;
    const holds = isKept && (await holdsDamage(client, path, kept, file));
    story.check(holds, `revision ${kept?.revision} keeps the damaged bytes, in case they were meant`);
  }
  return Number(isBack && kept !== undefined);
}

async function isNoticed(client: SafefileClient, path: string): Promise<boolean> {
  try {
    return (await client.stat(path)).externallyChanged;
  } catch (error) {
    if (isReason(error, "PATH_NOT_FOUND")) return true;
    throw error;
  }
}

async function holdsDamage(client: SafefileClient, path: string, kept: Revision, file: LocalFile): Promise<boolean> {
  const offset = Math.floor((file.sizeBytes - DAMAGE.length) / 2);
  const { bytes: part } = await client.readRevision(path, kept.revision, { offset, limit: DAMAGE.length });
  return DAMAGE.equals(part);
}

function lineOf({ revision, kind, sizeBytes, sha256 }: Revision): string {
  const digest =
    sha256.length > 0 ? `${bytes(Number(sizeBytes))}, sha256 ${Buffer.from(sha256).toString("hex").slice(0, 12)}…` : "";
  return `revision ${revision}  ${(RevisionKind[kind] ?? String(kind)).padEnd(15)}  ${digest}`.trimEnd();
}
