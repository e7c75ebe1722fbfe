import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";

/**
 * Writes a file of this machine so that nobody sees half of it: under a temporary name beside it, synced, then
 * renamed. When the source fails, what was there stays and the temporary file goes.
 */
export async function replaceLocal(
  file: string,
  mode: number,
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => Promise<void>,
): Promise<void> {
  const staged = path.join(
    path.dirname(file),
    `.${path.basename(file).slice(0, 200)}.${randomBytes(6).toString("hex")}.part`,
  );
  const handle = await open(staged, "wx", 0o600);
  try {
    try {
      for await (const data of source) {
        await handle.writeFile(data);
        await onBytes(data.length);
      }
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staged, file);
  } catch (failure) {
    await rm(staged, { force: true });
    throw failure;
  }
}
