import { createHash } from "node:crypto";
import type { Content } from "../model/content.js";
import type { OperationId } from "../model/operation.js";
import { digestOf, type Store } from "../store/store.js";
import type { LiveName, Stat, Volume } from "../volume/volume.js";

const ATTEMPTS_MAX = 3;

const unchanged = (before: Stat, after: Stat | undefined): boolean =>
  after !== undefined &&
  before.inode === after.inode &&
  before.sizeBytes === after.sizeBytes &&
  before.mtimeNs === after.mtimeNs &&
  before.ctimeNs === after.ctimeNs;

/**
 * Keeps what somebody outside put at `live`, and returns it; undefined when it is gone. The digest is that of the
 * kept bytes. A file that changes while it is read is read again, and kept as last seen.
 */
export async function capture(
  volume: Volume,
  store: Store,
  live: LiveName,
  options: { operation: OperationId; part: number; inlineBytesMax: number },
): Promise<Content | undefined> {
  for (let attempt = 1; ; attempt++) {
    const before = await volume.stat(live);
    if (!before) return undefined;
    const content = await keep(volume, store, live, before, { ...options, attempt });
    if (unchanged(before, await volume.stat(live)) || attempt === ATTEMPTS_MAX) return content;
    if ("object" in content.body) await store.remove(content.body.object);
  }
}

async function keep(
  volume: Volume,
  store: Store,
  live: LiveName,
  before: Stat,
  options: { operation: OperationId; part: number; inlineBytesMax: number; attempt: number },
): Promise<Content> {
  const { mode, owner } = before;
  const attributes = { mode, owner, xattrs: await volume.xattrs(live) };
  if (before.sizeBytes <= options.inlineBytesMax) {
    await using handle = await volume.openRead(live);
    const buffer = Buffer.alloc(options.inlineBytesMax + 1);
    const bytes = buffer.subarray(0, await handle.read(buffer, 0));
    if (bytes.length <= options.inlineBytesMax) {
      const sha256 = createHash("sha256").update(bytes).digest();
      return { sha256, sizeBytes: bytes.length, ...attributes, body: { inline: Buffer.from(bytes) } };
    }
  }
  const object = await store.put(options.operation, `${options.part}x${options.attempt}`, live);
  await using kept = await store.open(object);
  const { sizeBytes } = await kept.stat();
  return { sha256: await digestOf(kept, sizeBytes), sizeBytes, ...attributes, body: { object } };
}
