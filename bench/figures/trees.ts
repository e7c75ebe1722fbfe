import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { copy } from "../contenders/copy.js";
import { Restic } from "../contenders/restic.js";
import { startSafefile } from "../contenders/safefile.js";
import { LeftOutError, peer } from "../peers.js";
import type { Figure, Measure } from "./figure.js";

const FILES = 4_000;
const FILES_A_DIRECTORY = 100;
const SIZE_BYTES = 16 * 1024;
const IN_FLIGHT = 256;

const nameOf = (at: number): string => `${Math.floor(at / FILES_A_DIRECTORY)}/${at}.txt`;
/** No two are alike, and they compress about as text does. */
const contentOf = (at: number): Buffer => Buffer.alloc(SIZE_BYTES, `${at * 7919} some words of file ${at}; `);

async function makeTree(root: string): Promise<void> {
  for (let at = 0; at < FILES; at++) {
    const name = path.join(root, nameOf(at));
    if (at % FILES_A_DIRECTORY === 0) await mkdir(path.dirname(name), { recursive: true });
    await writeFile(name, contentOf(at));
  }
}

const figure = (what: string, seconds: number): Figure => ({
  what: `${what}, ${FILES.toLocaleString("en")} files of ${SIZE_BYTES / 1024} KiB`,
  value: `${seconds.toFixed(1)} s, ${((FILES * SIZE_BYTES) / 1e6 / seconds).toFixed(0)} MB a second`,
  goal: "",
  isMet: undefined,
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}

async function restic(directory: string, tree: string): Promise<Figure[]> {
  try {
    const restic = new Restic(await peer("restic"));
    const repository = path.join(directory, "repository");
    const backup = await restic.backup(tree, repository);
    const restored = await restic.restore(repository, path.join(directory, "restored"));
    return [figure("restic backup", backup.seconds), figure("restic restore", restored.seconds)];
  } catch (error) {
    if (!(error instanceof LeftOutError)) throw error;
    return [];
  }
}

/** A whole tree: written with a revision each, lost, and brought back by a restore job; what others take for it. */
export const trees: Measure = async (cleanup, directory) => {
  const tree = path.join(directory, "tree");
  await makeTree(tree);
  const copied = await copy(tree, path.join(directory, "copied"));
  const theirs = await restic(directory, tree);
  const { clients, volume } = await startSafefile({ cleanup, directory }, 1);
  const [client] = clients as [(typeof clients)[number]];
  const writes = Array.from({ length: FILES }, (_, at) => ({ path: `tree/${nameOf(at)}`, data: contentOf(at) }));
  let last = "";
  const written = await timed(async () => {
    for await (const { result, error } of client.writeMany(writes, { inFlight: IN_FLIGHT })) {
      if (error) throw error;
      last = result.operationId;
    }
  });
  await rm(path.join(volume, "tree"), { recursive: true });
  const restored = await timed(async () => {
    const { restoreId } = await client.startRestore("tree", { tree: true, asOf: { operation: last } });
    let done = 0n;
    for await (const { event } of client.watchRestore(restoreId)) {
      if (event.case === "progress") done = event.value.filesRestored;
    }
    if (done !== BigInt(FILES)) throw new Error(`${done} of ${FILES} files were restored`);
  });
  return [
    figure("WriteFiles, each with a revision", written),
    figure("restore job of a tree that is gone", restored),
    ...theirs,
    figure("cp -a and sync", copied.seconds),
  ];
};
