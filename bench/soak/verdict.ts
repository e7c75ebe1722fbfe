import { IncidentKind, isReason, type Revision, type SafefileClient, SafefileError } from "@safefile/client";
import { snapshotTree } from "../../test/cluster/volume.js";
import type { Dice } from "../../test/lock/dice.js";
import { piecesIn, sha256Of } from "./content.js";
import { Fold } from "./fold.js";
import { increment } from "./meter.js";
import { describe, type Told, toldBy } from "./told.js";
import { Violation } from "./violation.js";
import type { Watcher } from "./watcher.js";
import type { Due } from "./worker.js";

/** Paths looked at at once. */
const PARALLEL = 8;
/** Of each path so many revisions are read whole, beside the newest; all are compared by digest. */
const CONTENTS_A_PATH = 6;
/** How long the watch may lag behind the last answer. */
const WATCH_MS_MAX = 30_000;
const WATCH_LOOK_MS = 100;
/** Nothing of the kind was done. A Redis or a volume that was slow for a while is no more than counted. */
const NEVER_HAPPENED = ["CORRUPTION", "DURABILITY", "EXTERNAL_CHANGE", "REPLAY", "LOCK_BROKEN"];

export interface Judged {
  paths: number;
  revisions: number;
  contents: number;
  liveFiles: number;
  /** Changes that were left open and are there after all. */
  openFound: number;
  readonly incidents: Map<string, number>;
}

export interface Case {
  readonly clients: readonly SafefileClient[];
  readonly volume: string;
  readonly dues: readonly Due[];
  readonly watcher: Watcher;
  readonly dice: Dice;
}

/** Holds everything that is there in the end against everything that was answered. Throws the first violation. */
export async function judge({ clients, volume, dues, watcher, dice }: Case): Promise<Judged> {
  const judged: Judged = { paths: 0, revisions: 0, contents: 0, liveFiles: 0, openFound: 0, incidents: new Map() };
  const heads = new Map<string, Told>();
  const queue = [...merged(dues)].entries();
  const work = async (): Promise<void> => {
    for (const [at, due] of queue) {
      const client = clients[at % clients.length] as SafefileClient;
      const history = await historyOf(client, due.path).catch(unreadable(due.path));
      compare(due, history, judged);
      const newest = history.at(-1);
      if (!newest) continue;
      heads.set(due.path, toldBy(newest));
      await readSome(client, history, dice, judged).catch(unreadable(due.path));
      await isWatched(watcher, toldBy(newest));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  await compareLive(clients, volume, heads, judged);
  for await (const { kind, message, path } of (clients[0] as SafefileClient).incidents()) {
    const name = IncidentKind[kind] ?? `${kind}`;
    increment(judged.incidents, name);
    if (NEVER_HAPPENED.includes(name)) throw Violation.at(path, "no incident of the kind", `${name}: ${message}`);
  }
  return judged;
}

/** Nobody is killed any more, so whatever was acknowledged can be read. */
function unreadable(path: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof SafefileError ? Violation.at(path, "a history that can be read", `${error}`) : error;
  };
}

/** What several processes know of one path, together. */
function merged(dues: readonly Due[]): Due[] {
  const byPath = Map.groupBy(dues, ({ path }) => path);
  return [...byPath].map(([path, parts]) => {
    const fold = new Fold();
    for (const part of parts) fold.merge(part);
    const { count, sum } = fold;
    return { path, count, sum, head: parts[0]?.head, open: parts.flatMap(({ open }) => open) };
  });
}

/** Oldest first; none when nothing was ever there. */
async function historyOf(client: SafefileClient, path: string): Promise<Revision[]> {
  const history: Revision[] = [];
  try {
    for await (const revision of client.revisions(path)) history.push(revision);
  } catch (error) {
    if (!isReason(error, "PATH_NOT_FOUND")) throw error;
  }
  return history.reverse();
}

/** Every acknowledged revision is there as it was acknowledged, and nothing else is, but what was left open (I1, I5, I6). */
function compare({ path, count, sum, head, open }: Due, history: readonly Revision[], judged: Judged): void {
  const found = new Fold();
  const ids = new Set<string>();
  let token = 0;
  history.forEach((revision, at) => {
    const told = toldBy(revision);
    const { labels } = revision;
    if (told.revision !== at + 1) throw Violation.at(path, `revision ${at + 1} (I4)`, describe(told));
    if (labels.value !== undefined && Number(labels.value) !== told.revision)
      throw Violation.at(path, "revision n holds the value n (I3)", `${describe(told)} holds ${labels.value}`);
    const tokenNow = Number(labels.token ?? 0);
    if (tokenNow < token)
      throw Violation.at(path, `token ${token} before`, `${describe(told)} under token ${tokenNow}`);
    token = tokenNow;
    if (ids.has(told.id)) throw Violation.at(path, `${told.id} is there once (I5)`, describe(told));
    ids.add(told.id);
    if (open.includes(told.id)) judged.openFound += 1;
    else found.add(told);
  });
  judged.paths += 1;
  judged.revisions += history.length;
  if (!found.equals({ count, sum }))
    throw Violation.at(
      path,
      `${count} revisions, with sum ${sum.toString(16)}, and perhaps ${open.length} more`,
      `${found.count} that were not left open, with sum ${found.sum.toString(16)}`,
    );
  const newest = history.at(-1);
  if (!head || !newest) return;
  const told = toldBy(newest);
  if (told.revision !== head.revision || told.sha256 !== head.sha256)
    throw Violation.at(path, `revision ${head.revision}, SHA-256 ${head.sha256}`, describe(told));
}

async function readSome(client: SafefileClient, history: readonly Revision[], dice: Dice, judged: Judged) {
  const withContent = history.filter(({ sha256 }) => sha256.length > 0);
  const newest = withContent.at(-1);
  if (!newest) return;
  const some = Array.from({ length: CONTENTS_A_PATH }, () => dice.of(withContent));
  for (const due of new Set([newest, ...some])) {
    const { bytes } = await client.readRevision(due.path, due.revision);
    piecesIn(due.path, bytes);
    if (sha256Of(bytes) !== toldBy(due).sha256)
      throw Violation.at(due.path, describe(toldBy(due)), `SHA-256 ${sha256Of(bytes)}`);
    judged.contents += 1;
  }
}

async function isWatched(watcher: Watcher, head: Told): Promise<void> {
  const untilMs = performance.now() + WATCH_MS_MAX;
  for (;;) {
    const told = watcher.newestOf(head.path);
    if (told === head.revision || (told === undefined && watcher.gaps > 0)) return;
    if (performance.now() > untilMs) throw Violation.at(head.path, describe(head), `the watch told of ${told} last`);
    await Promise.race([watcher.failed, new Promise((resolve) => setTimeout(resolve, WATCH_LOOK_MS))]);
  }
}

/** The files on disk are those of the heads, byte for byte, and those that each replica tells of (I2). */
async function compareLive(
  clients: readonly SafefileClient[],
  volume: string,
  heads: ReadonlyMap<string, Told>,
  judged: Judged,
): Promise<void> {
  const due = new Map([...heads].filter(([, { sha256 }]) => sha256 !== ""));
  const onDisk = await snapshotTree(volume, { ignore: [".safefile"] });
  for (const [path, { type, sha256 }] of onDisk) {
    if (type === "directory") continue;
    const head = due.get(path);
    const live = `a ${type} on disk, SHA-256 ${sha256}`;
    if (sha256 !== head?.sha256) throw Violation.at(path, head ? describe(head) : "nothing", live);
    judged.liveFiles += 1;
  }
  for (const [path, head] of due) if (!onDisk.has(path)) throw Violation.at(path, describe(head), "nothing on disk");
  for (const client of clients) {
    const missing = new Map(due);
    for await (const { path, type, revision, sha256 } of client.list("", { recursive: true })) {
      if (sha256.length === 0) {
        if (due.has(path)) throw Violation.at(path, describe(due.get(path) as Told), `of type ${type}, of no revision`);
        continue;
      }
      const head = due.get(path);
      missing.delete(path);
      const told = `listed as revision ${revision}, SHA-256 ${Buffer.from(sha256).toString("hex")}`;
      if (!head || Number(revision) !== head.revision || Buffer.from(sha256).toString("hex") !== head.sha256)
        throw Violation.at(path, head ? describe(head) : "nothing", told);
    }
    for (const [path, head] of missing) throw Violation.at(path, describe(head), "nothing listed");
  }
}
