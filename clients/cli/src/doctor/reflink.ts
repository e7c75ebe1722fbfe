import { constants } from "node:fs";
import { type Check, codeOf, ok } from "./check.js";

const SIZE_BYTES = 1024 * 1024;

/** Copies that share their blocks. Good to have, never needed. */
export const reflink: Check = {
  name: "reflink",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const source = scratch.at(this.name, "source");
    await disk.writeFile(source, Buffer.alloc(SIZE_BYTES, 1));
    const clone = disk.copyFile(source, scratch.at(this.name, "clone"), constants.COPYFILE_FICLONE_FORCE);
    const code = await codeOf(clone);
    return code === "no error"
      ? ok("supported", "Files changed from outside are kept without copying their bytes.")
      : ok(`not supported (${code})`, "Large contents are copied into the store, which takes space and time.");
  },
};
