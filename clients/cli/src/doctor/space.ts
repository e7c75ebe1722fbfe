import { sizeText } from "../shown.js";
import { type Check, fail, ok, warn } from "./check.js";

const GIB = 1024 ** 3;
const FREE_BYTES_MIN = GIB;
const FREE_INODES_MIN = 10_000;

/** Room for bytes and for names. */
export const space: Check = {
  name: "space",
  async run({ disk, volume }) {
    const { bavail, blocks, bsize, files, ffree } = await disk.statfs(volume);
    const freeBytes = bavail * bsize;
    // Some file systems make inodes as they go, and count none.
    const counted = files > 0;
    const inodes = counted ? `${ffree} of ${files} inodes` : "inodes made as needed";
    const seen = `${sizeText(freeBytes)} of ${sizeText(blocks * bsize)} free, ${inodes}`;
    if (freeBytes === 0 || (counted && ffree === 0)) return fail(seen, "Every change is refused with VOLUME_FULL.");
    return freeBytes < FREE_BYTES_MIN || (counted && ffree < FREE_INODES_MIN)
      ? warn(
          seen,
          "Each change needs room for the new content beside the old; make more before it is refused with VOLUME_FULL.",
        )
      : ok(seen, "Each change needs room for the new content beside the old, and there is some.");
  },
};
