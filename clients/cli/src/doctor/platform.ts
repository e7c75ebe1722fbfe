import { readFile, readlink, realpath } from "node:fs/promises";
import { release } from "node:os";
import { type Check, codeOf, fail, ok, warn } from "./check.js";

/** openat2(2) came with it. */
const KERNEL_MIN = [5, 6] as const;

/** The kernel that replicas would run on. */
export function kernelCheck(platform: NodeJS.Platform = process.platform, version = release()): Check {
  return {
    name: "kernel",
    async run() {
      const seen = `${platform} ${version}`;
      if (platform !== "linux") {
        return fail(seen, "Replicas run on Linux; this machine can only be a client.");
      }
      const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
      const old = major < KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor < KERNEL_MIN[1]);
      return old
        ? warn(seen, "Without openat2 (Linux 5.6) every path is walked name by name, which is safe (I12) but slower.")
        : ok(seen, "Paths are resolved beneath the root by one openat2 call, so no symlink leads outside (I12).");
    },
  };
}

/** Open directories are named through /proc. */
export const procFd: Check = {
  name: "proc-self-fd",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const dir = scratch.at(this.name);
    await using handle = await disk.open(dir, "r");
    const through = `/proc/self/fd/${handle.fd}`;
    const written = await codeOf(disk.writeFile(`${through}/name`, "through"));
    if (written !== "no error") {
      return fail(`${through}: ${written}`, "Replicas name files below open directories through /proc; mount it.");
    }
    const target = await readlink(through);
    const content = await readFile(scratch.at(this.name, "name"), "utf8");
    return target === (await realpath(dir)) && content === "through"
      ? ok(
          "a file was written below an open directory",
          "Replicas hold a directory open while they work in it, whatever is renamed meanwhile (I12).",
        )
      : fail(`${through} leads to ${target}`, "Replicas could not hold on to a directory while they work in it (I12).");
  },
};
