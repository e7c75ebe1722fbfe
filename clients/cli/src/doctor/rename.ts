import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type Check, codeOf, fail, ok, warn } from "./check.js";
import type { ReaderReport, ReaderTask } from "./reader.js";
import type { Scratch } from "./scratch.js";

const SIZE_BYTES = 256 * 1024;
const REPLACEMENTS = 300;
const RIVALS = 8;
const ROUNDS = 50;

/** Replacing a file by rename: a reader sees all of the old bytes or all of the new. */
export const renameAtomic: Check = {
  name: "rename-atomic",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const live = scratch.at(this.name, "live");
    await disk.writeFile(live, Buffer.alloc(SIZE_BYTES, 0));
    const reader = await startReader(live);
    try {
      for (let at = 1; at <= REPLACEMENTS; at++) {
        const staged = scratch.at(this.name, `staged-${at}`);
        await disk.writeFile(staged, Buffer.alloc(SIZE_BYTES, at % 256));
        await disk.rename(staged, live);
      }
    } catch (error) {
      await reader.stop();
      throw error;
    }
    const { reads, missing, torn, changes } = await reader.stop();
    const seen = `${REPLACEMENTS} replacements, ${reads} reads meanwhile: ${torn} torn, ${missing} missing`;
    if (torn + missing > 0) {
      return fail(seen, "Readers would see files half written or gone (I2): this cannot be a volume.");
    }
    if (changes < 2) {
      return warn(seen, "The reader saw no change while files were replaced, so nothing was shown; try again.");
    }
    return ok(seen, "A change becomes visible all at once, which publishing relies on (I2).");
  },
};

/** What fencing rests on: a rename whose source is gone fails, and of any number of rivals one wins. */
export const renameSource: Check = {
  name: "rename-source-gone",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const gone = await codeOf(disk.rename(scratch.at(this.name, "absent"), scratch.at(this.name, "target")));
    let doubled = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const source = scratch.at(this.name, `source-${round}`);
      await disk.writeFile(source, "");
      const rivals = Array.from({ length: RIVALS }, (_, rival) =>
        codeOf(disk.rename(source, scratch.at(this.name, `won-${round}-${rival}`))),
      );
      const winners = (await Promise.all(rivals)).filter((code) => code === "no error").length;
      if (winners !== 1) doubled++;
    }
    const seen = `absent source: ${gone}; ${ROUNDS} races of ${RIVALS} renames: ${doubled} without exactly one winner`;
    return gone === "ENOENT" && doubled === 0
      ? ok(seen, "A rival can stop a late writer by moving its staged file away, so no update is lost (I3).")
      : fail(seen, "A late writer could not be stopped and would overwrite newer files (I3): this cannot be a volume.");
  },
};

/** A file that is open while it is replaced keeps its content. */
export const openReader: Check = {
  name: "open-file-stays",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const live = scratch.at(this.name, "live");
    const staged = scratch.at(this.name, "staged");
    await disk.writeFile(live, "before");
    await disk.writeFile(staged, "after");
    await using handle = await disk.open(live, "r");
    await disk.rename(staged, live);
    const kept = await handle.readFile("utf8").catch((error: NodeJS.ErrnoException) => error.code);
    const now = await disk.readFile(live, "utf8");
    const seen = `open before: ${JSON.stringify(kept)}, opened after: ${JSON.stringify(now)}`;
    if (now !== "after") return fail(seen, "A committed change would not be visible: this cannot be a volume.");
    return kept === "before"
      ? ok(seen, "A download that has begun goes on with its revision while the file is replaced.")
      : warn(seen, "Downloads break off when their file is replaced meanwhile, and have to be repeated.");
  },
};

async function startReader(file: string): Promise<{ stop(): Promise<ReaderReport> }> {
  const stop = new SharedArrayBuffer(4);
  const workerData: ReaderTask = { file, sizeBytes: SIZE_BYTES, stop };
  const worker = new Worker(new URL("./reader.js", import.meta.url), { workerData });
  await once(worker, "message");
  return {
    async stop() {
      const report = once(worker, "message") as Promise<[ReaderReport]>;
      Atomics.store(new Int32Array(stop), 0, 1);
      const [found] = await report;
      await worker.terminate();
      return found;
    },
  };
}

/** Used where a name must hold what was put there. */
export async function exists({ disk }: Scratch, file: string): Promise<boolean> {
  return (await codeOf(disk.lstat(file))) === "no error";
}
