import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type Contender, contentOf, type Place } from "../contender.js";
import { peer } from "../peers.js";

type Write = (file: string, bytes: Uint8Array) => Promise<void>;

/** npm's write-file-atomic: it syncs the file, not the directory, and keeps nothing of what was there. */
export async function writeFileAtomic({ directory }: Place): Promise<Contender> {
  const { default: write } = (await import(path.join(await peer("write-file-atomic"), "lib/index.js"))) as {
    default: Write;
  };
  const made = new Map<string, Promise<unknown>>();
  const at = async (file: string): Promise<string> => {
    const name = path.join(directory, file);
    const parent = path.dirname(name);
    if (!made.has(parent)) made.set(parent, mkdir(parent, { recursive: true }));
    await made.get(parent);
    return name;
  };
  return {
    write: async (file, sizeBytes) => write(await at(file), contentOf(sizeBytes)),
    read: async (file) => readFile(await at(file)),
  };
}
