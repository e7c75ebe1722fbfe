import { mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import { type Contender, contentOf, type Place, tenOf } from "../contender.js";

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

async function syncDirectory(name: string): Promise<void> {
  await using handle = await open(name, "r");
  await handle.sync();
}

async function writeSynced(name: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(name, "w");
  await handle.write(bytes);
  await handle.sync();
}

/**
 * What people write by hand: copy to a backup and fsync it, write a temporary file and fsync it, rename, fsync both
 * directories.
 */
export class HandLoop {
  private readonly directories = new Map<string, Promise<unknown>>();
  private temporaries = 0;

  constructor(private readonly root: string) {}

  async write(file: string, bytes: Uint8Array): Promise<void> {
    const target = await this.at("live", file);
    const backup = await this.at("backups", file);
    try {
      await using current = await open(target, "r");
      await writeSynced(`${backup}.bak`, await current.readFile());
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    this.temporaries += 1;
    const temporary = `${target}.${this.temporaries}.tmp`;
    await writeSynced(temporary, bytes);
    await rename(temporary, target);
    await Promise.all([syncDirectory(path.dirname(target)), syncDirectory(path.dirname(backup))]);
  }

  async at(tree: "live" | "backups", file: string): Promise<string> {
    const name = path.join(this.root, tree, file);
    const directory = path.dirname(name);
    const made = this.directories.get(directory) ?? mkdir(directory, { recursive: true });
    this.directories.set(directory, made);
    await made;
    return name;
  }
}

/** In its caller's process, without a lock and without RPC. */
export async function handLoop({ directory }: Place): Promise<Contender> {
  const loop = new HandLoop(directory);
  return {
    write: (file, sizeBytes) => loop.write(file, contentOf(sizeBytes)),
    ten: async (file, sizeBytes) => {
      for (const each of tenOf(file)) await loop.write(each, contentOf(sizeBytes));
    },
    read: async (file) => {
      await using handle = await open(await loop.at("live", file), "r");
      await handle.readFile();
    },
    stat: async (file) => stat(await loop.at("live", file)),
  };
}
