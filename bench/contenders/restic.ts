import { rm } from "node:fs/promises";
import path from "node:path";
import { bytesIn, type Figures, run, timed } from "./job.js";

/** restic as it comes: compressed (auto), encrypted, deduplicated. It syncs each pack it writes. */
export class Restic {
  constructor(private readonly binary: string) {}

  /** Backs up `tree` to a new repository, whose making is not timed. Its cache begins empty, too. */
  async backup(tree: string, repository: string): Promise<Figures> {
    await rm(cacheOf(repository), { recursive: true, force: true });
    const env = environment(repository);
    await run({ command: [this.binary, "--quiet", "init"], env });
    // "." leaves out of the backup where the tree is, so that a restore does not nest it.
    const command = [this.binary, "--quiet", "backup", "."] as const;
    return timed(await bytesIn(tree), { command, cwd: tree, env, synced: repository });
  }

  /** What was backed up last, to `target`, which need not be there. restic does not sync what it restores. */
  async restore(repository: string, target: string): Promise<Figures> {
    const figures = await timed(0, {
      command: [this.binary, "--quiet", "restore", "latest", "--target", target],
      env: environment(repository),
      synced: path.dirname(target),
    });
    return { ...figures, bytesPerSecond: (await bytesIn(target)) / figures.seconds };
  }
}

const cacheOf = (repository: string): string => `${repository}.cache`;

const environment = (repository: string) => ({
  RESTIC_REPOSITORY: path.resolve(repository),
  RESTIC_PASSWORD: "safefile",
  // On the disk of the repository, not in somebody's home.
  RESTIC_CACHE_DIR: path.resolve(cacheOf(repository)),
});
