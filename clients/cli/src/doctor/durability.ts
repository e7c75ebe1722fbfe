import { type Check, codeOf, fail, ok, warn } from "./check.js";

const SYNCS = 10;
/** No disk, and few caches with a battery, answer faster. */
const SUSPICIOUS_MS = 0.02;
/** Above, each change takes noticeably long. */
const SLOW_MS = 100;

/** fsync and fdatasync of a file return, and take the time of a disk. */
export const syncFile: Check = {
  name: "fsync-file",
  async run(scratch) {
    await scratch.room(this.name);
    await using handle = await scratch.disk.open(scratch.at(this.name, "file"), "w");
    const times: number[] = [];
    for (let at = 0; at < SYNCS; at++) {
      await handle.write(Buffer.alloc(4096, at));
      const startMs = performance.now();
      const code = await codeOf(at % 2 === 0 ? handle.datasync() : handle.sync());
      times.push(performance.now() - startMs);
      if (code !== "no error") {
        return fail(
          `sync ${at + 1}: ${code}`,
          "No change could be acknowledged, because none can be made durable (I1).",
        );
      }
    }
    const medianMs = times.sort((a, b) => a - b)[SYNCS / 2]!;
    const seen = `median of ${SYNCS} syncs: ${medianMs.toFixed(2)} ms`;
    if (medianMs < SUSPICIOUS_MS) {
      return warn(seen, "That is faster than storage is: acknowledged changes may not survive a power cut (I1).");
    }
    return medianMs > SLOW_MS
      ? warn(seen, "Changes are durable but slow; those that arrive together share one sync.")
      : ok(seen, "Acknowledged changes are on storage, as far as this host can tell (I1).");
  },
};

/** fsync of a directory, without which a rename may be undone by a power cut. */
export const syncDirectory: Check = {
  name: "fsync-directory",
  async run(scratch) {
    await scratch.room(this.name);
    await scratch.disk.writeFile(scratch.at(this.name, "before"), "");
    await scratch.disk.rename(scratch.at(this.name, "before"), scratch.at(this.name, "after"));
    await using handle = await scratch.disk.open(scratch.at(this.name), "r");
    const code = await codeOf(handle.sync());
    return code === "no error"
      ? ok("a directory was synced after a rename", "Names can be made durable: journals and objects are found again.")
      : fail(`fsync of a directory: ${code}`, "Checkpoints could not promise that names survive a power cut (I1).");
  },
};
