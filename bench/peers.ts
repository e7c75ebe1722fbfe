import { access, constants, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What `make bench-peers` leaves behind. */
const built = (file: string): string => fileURLToPath(new URL(`../../.tools/peers/${file}`, import.meta.url));

/** What is to be compared with is not here; says why. */
export class LeftOutError extends Error {}

/** Where a program, or the directory of a package, is. Throws LeftOutError. */
export async function peer(name: "minio" | "restic" | "seaweedfs" | "write-file-atomic"): Promise<string> {
  const found = built(name);
  const isThere = await access(found, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (isThere) return found;
  const reason = await readFile(built(`${name}.reason`), "utf8").catch(() => "not installed: make bench-peers");
  throw new LeftOutError(reason.trim());
}
