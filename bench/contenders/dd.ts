import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Contender, Place } from "../contender.js";
import { fill } from "./copy.js";

/** dd conv=fsync of zeros: what the disk takes. */
export async function dd({ directory }: Place): Promise<Contender> {
  return {
    upload: async (file, sizeBytes) => {
      const name = path.join(directory, file);
      await mkdir(path.dirname(name), { recursive: true });
      await fill(name, sizeBytes);
    },
    prepare: async () => undefined,
  };
}
