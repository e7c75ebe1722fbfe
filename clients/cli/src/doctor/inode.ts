import { type Check, codeOf, fail, ok, warn } from "./check.js";

const FILES = 8;
const GIB = 1024 ** 3;
/** Just past what 32 bits can say. */
const LARGE_BYTES = 4 * GIB + 1;

/** Inode numbers tell files apart, stay with them, and fit. */
export const inodes: Check = {
  name: "inodes",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const found = new Set<bigint>();
    let moved = 0;
    for (let at = 0; at < FILES; at++) {
      const file = scratch.at(this.name, `file-${at}`);
      await disk.writeFile(file, "");
      const { ino } = await disk.stat(file, { bigint: true });
      await disk.rename(file, `${file}-renamed`);
      if ((await disk.stat(`${file}-renamed`, { bigint: true })).ino !== ino) moved++;
      found.add(ino);
    }
    const bits = Math.max(...[...found].map((ino) => ino.toString(2).length));
    const seen = `${found.size} numbers for ${FILES} files, up to ${bits} bits; ${moved} changed by a rename`;
    if (found.size !== FILES || bits > 64) {
      return fail(seen, "Changes from outside are told by the inode; they would go unnoticed.");
    }
    if (moved > 0) return fail(seen, "Every file the service publishes would look as if it was changed from outside.");
    return ok(seen, `Files are told apart${bits > 53 ? ", read as 64-bit integers because they pass 53 bits" : ""}.`);
  },
};

/** Sizes past 4 GiB. */
export const largeFiles: Check = {
  name: "large-files",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const { bavail, bsize } = await disk.statfs(scratch.volume);
    if (bavail * bsize < 2 * LARGE_BYTES) {
      return warn("not tried: less than 8 GiB free", "Whether files over 4 GiB work is not known.");
    }
    const file = scratch.at(this.name, "sparse");
    await disk.writeFile(file, "");
    const code = await codeOf(disk.truncate(file, LARGE_BYTES));
    const { size } = await disk.stat(file);
    await disk.unlink(file);
    return code === "no error" && size === LARGE_BYTES
      ? ok(`a sparse file of ${size} bytes`, "Files over 4 GiB can be stored.")
      : warn(`${code}; ${size} bytes of ${LARGE_BYTES}`, "Files of 4 GiB and more are refused with VOLUME_FULL.");
  },
};
