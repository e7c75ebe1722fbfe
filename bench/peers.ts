import { access, constants, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** What `make bench-peers` leaves behind. */
const built = (file: string): string => fileURLToPath(new URL(`../../.tools/peers/${file}`, import.meta.url));

/** A program to compare with, or why it is left out. */
export type Peer = { readonly binary: string } | { readonly reason: string };

export async function peer(name: "minio" | "restic" | "seaweedfs"): Promise<Peer> {
  const binary = built(name);
  const isBuilt = await access(binary, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (isBuilt) return { binary };
  const reason = await readFile(built(`${name}.reason`), "utf8").catch(() => "not built: make bench-peers");
  return { reason: reason.trim() };
}
