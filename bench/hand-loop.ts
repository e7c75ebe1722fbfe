import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";
import type { Contender } from "./contender.js";

/**
 * What people write by hand: copy to a backup and fsync it, write a temporary file and fsync it, rename, fsync both
 * directories. In-process, without a lock and without RPC.
 */
export async function handLoop(directory: string): Promise<Contender> {
  const backups = path.join(directory, "backups");
  await mkdir(backups, { recursive: true });
  const syncDirectory = async (name: string): Promise<void> => {
    await using handle = await open(name, "r");
    await handle.sync();
  };
  const writeSynced = async (name: string, bytes: Uint8Array): Promise<void> => {
    await using handle = await open(name, "w");
    await handle.write(bytes);
    await handle.sync();
  };
  return {
    name: "hand loop",
    async write(file, bytes) {
      const target = path.join(directory, file);
      try {
        await using current = await open(target, "r");
        await writeSynced(path.join(backups, `${file}.bak`), await current.readFile());
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
      await writeSynced(`${target}.tmp`, bytes);
      await rename(`${target}.tmp`, target);
      await Promise.all([syncDirectory(directory), syncDirectory(backups)]);
    },
    async end() {},
  };
}
