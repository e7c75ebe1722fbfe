import { appendFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";

/** What a figure depends on. */
export const machine = (): string =>
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, Linux ${release()}, ` +
  `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;

/** Prints a section and adds it to RESULTS.md, where what was measured before stays. */
export async function publish(section: string): Promise<void> {
  await appendFile(new URL("../../bench/RESULTS.md", import.meta.url), `\n${section}`);
  process.stdout.write(section);
}
