import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Tamper } from "../regress/core.js";

const OTHER_BOOT = "00000000-0000-4000-8000-000000000000";
/** What is made durable when it is written, and so is there after any cut. */
const ALWAYS_DURABLE = ["journal", "checkpoints", "incarnations", "closed", "generations"];

const copy = (source: string, target: string): void => {
  execFileSync("cp", ["-a", source, target]);
};

/** Makes everything on the volume that of an earlier start of the host. */
export async function pretendReboot(volume: string): Promise<void> {
  const control = path.join(volume, ".safefile");
  for (const name of await readdir(path.join(control, "generations"))) {
    const number = name.slice(0, name.indexOf("."));
    await rename(path.join(control, "generations", name), path.join(control, "generations", `${number}.${OTHER_BOOT}`));
  }
  for (const directory of ["incarnations", "closed"])
    for (const name of await readdir(path.join(control, directory))) {
      const file = path.join(control, directory, name);
      const text = await readFile(file, "utf8");
      await writeFile(file, text.replace(/"bootId":"[^"]*"/, `"bootId":"${OTHER_BOOT}"`));
    }
}

/**
 * A volume on a disk that keeps no name and no unsynced content longer than it must: after a cut everything is as it
 * was when the whole file system was synced last, but for what is synced by itself.
 */
export class ForgetfulDisk {
  private copies = 0;

  constructor(private readonly root: string) {}

  get synced(): string {
    return `${this.root}-synced`;
  }

  /** The volume as it would be kept if it was synced now. */
  sync(): void {
    execFileSync("rm", ["-rf", this.synced]);
    copy(this.root, this.synced);
  }

  /** For a core: it syncs this disk. */
  get tamper(): Tamper {
    return {
      syncAll: async (real) => {
        await real.syncAll();
        this.sync();
      },
    };
  }

  /** What the next start of the host finds. */
  async cut(): Promise<string> {
    this.copies += 1;
    const found = `${this.root}-cut-${this.copies}`;
    copy(this.synced, found);
    for (const name of ALWAYS_DURABLE) {
      await rm(path.join(found, ".safefile", name), { recursive: true, force: true });
      const source = path.join(this.root, ".safefile", name);
      if (existsSync(source)) copy(source, path.join(found, ".safefile", name));
    }
    await pretendReboot(found);
    return found;
  }

  async remove(): Promise<void> {
    for (let at = 1; at <= this.copies; at++) await rm(`${this.root}-cut-${at}`, { recursive: true, force: true });
    await rm(this.synced, { recursive: true, force: true });
  }
}
