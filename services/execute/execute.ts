import { createHash } from "node:crypto";
import { inlineBytesOf } from "../backup/backup.js";
import type { Base, PathBase } from "../backup/base.js";
import { ChecksumMismatchError, LimitExceededError, RevisionCorruptError } from "../errors/index.js";
import type { Lease } from "../lock/lease.js";
import { type Content, sameBytes } from "../model/content.js";
import { allOf, eachOf } from "../model/each.js";
import type { Source } from "../model/operation-request.js";
import { stagedName, writeLeaf } from "../protocol/names.js";
import { ContentCorruptError, type Store } from "../store/store.js";
import type { Plan } from "../validate/plan.js";
import type { Handle, Volume } from "../volume/volume.js";
import { type Given, give } from "./given.js";
import type { Staged, StagedFile } from "./staged.js";

/** Files of one operation filled at once: each holds a chunk or two. */
const PARALLEL = 16;
/** What a new file gets when nobody says otherwise. */
const MODE_DEFAULT = 0o644;

/** What was written into a staged file. */
interface Written {
  readonly sha256: Uint8Array;
  readonly sizeBytes: number;
  /** Where the store has these bytes already. */
  readonly body: Content["body"] | undefined;
  readonly attributes: Given["attributes"];
  /** The whole content, when it is small: then nothing of it is in the file yet. */
  readonly held: Uint8Array | undefined;
}

/** Fourth stage: fills the staged files. Never touches a live one. */
export class Execute {
  constructor(
    private readonly volume: Volume,
    private readonly store: Store,
    private readonly limits: {
      readonly inlineBytesMax: number;
      readonly recordBytesMax: number;
      readonly uploadBytesMax: number;
    },
  ) {}

  async run(plan: Plan, base: Base, lease: Lease): Promise<Staged> {
    const timeMs = Math.max(Date.now(), ...base.paths.map(({ head }) => (head?.record.timeMs ?? 0) + 1));
    const files: (StagedFile | undefined)[] = [];
    await eachOf(base.paths, PARALLEL, async (path, part) => {
      const { source } = path.intent;
      files[part] = source && (await this.fill(plan, lease, path, base.paths, part, source, timeMs));
      lease.assertHeld();
    });
    return { files, timeMs };
  }

  private async fill(
    plan: Plan,
    lease: Lease,
    base: PathBase,
    bases: readonly PathBase[],
    part: number,
    source: Source,
    timeMs: number,
  ): Promise<StagedFile> {
    const { intent } = base;
    const handle = lease.attempt.files[part] as Handle;
    const live = bases.length > 1 ? undefined : (base.live ?? (await this.makeParents(base, lease)));
    const inlineBytesMax =
      source.from === "bytes" ? this.limits.inlineBytesMax : inlineBytesOf(this.limits, bases.length);
    const written = await this.write(handle, source, base, bases, inlineBytesMax);
    const { sha256, sizeBytes, attributes, held } = written;
    // What is added to a file leaves it its own mode.
    const modeWanted = source.from === "append" && base.content ? undefined : intent.mode;
    const mode = modeWanted ?? attributes?.mode ?? MODE_DEFAULT;
    const xattrs = { ...attributes?.xattrs, ...intent.xattrs?.set };
    for (const name of intent.xattrs?.remove ?? []) delete xattrs[name];
    const mtimeNs = this.mtimeOf(base, bases, timeMs);
    const wanted = { mode, owner: attributes?.owner, xattrs, mtimeNs };
    // Allocated blocks spare ext4 the flush that it makes when a rename replaces a file.
    const reserve = source.from === "bytes" && base.content !== undefined;
    const filled = held && (await handle.fill(held, wanted, reserve));
    if (!held) await handle.setAttributes(wanted);
    // A network volume has no replay, and an object's bytes are not in the journal: their own go first.
    if (written.body && ("object" in written.body || this.volume.kind === "network")) await handle.sync();
    const { body, inspected } = written.body
      ? { body: written.body, inspected: filled }
      : await this.keep(plan, lease, part, bases.length, sizeBytes);
    const stats = inspected?.stat ?? (await handle.stat());
    const content: Content = { sha256, sizeBytes, mode, owner: stats.owner, xattrs, body };
    return { base, live, handle, content, inode: stats.inode, mtimeNs: stats.mtimeNs, inspected };
  }

  private mtimeOf({ intent, mtimeNs }: PathBase, bases: readonly PathBase[], timeMs: number): bigint {
    const { source } = intent;
    if (intent.mtimeNs === undefined) return BigInt(timeMs) * 1_000_000n;
    if (intent.mtimeNs !== "keep") return intent.mtimeNs;
    const moved = source?.from === "path" && bases.find((each) => each.intent.path === source.path);
    return moved ? moved.mtimeNs : mtimeNs;
  }

  private async makeParents({ intent }: PathBase, lease: Lease) {
    const { live, made } = await this.volume.locateWithParents(intent.path);
    lease.held.use(live);
    lease.attempt.madeDirectories.push(...made);
    return live;
  }

  private async write(
    handle: Handle,
    source: Source,
    base: PathBase,
    bases: readonly PathBase[],
    inlineBytesMax: number,
  ): Promise<Written> {
    const { path } = base.intent;
    if (source.from === "upload") {
      const { sha256, sizeBytes } = source;
      const body = sizeBytes <= inlineBytesMax ? { inline: await readAll(handle, sizeBytes) } : undefined;
      return { sha256, sizeBytes, body, attributes: base.content, held: undefined };
    }
    const given = await give(source, base, bases, this.store);
    const written = await this.pour(given, handle, inlineBytesMax, path);
    if (source.from === "patch" && source.sha256 && !sameBytes(source.sha256, written.sha256))
      throw new ChecksumMismatchError({ field: "sha256", path });
    return written;
  }

  /** Writes all chunks. Those of a small content are held back, for its record, and to be written in one go. */
  private async pour({ chunks, known, attributes }: Given, handle: Handle, inlineBytesMax: number, path: string) {
    const digest = createHash("sha256");
    let small: Uint8Array[] | undefined = [];
    let sizeBytes = 0;
    try {
      for await (const chunk of chunks) {
        if (sizeBytes + chunk.length > this.limits.uploadBytesMax)
          throw new LimitExceededError({ field: "data", limit: `${this.limits.uploadBytesMax} bytes in one file` });
        if (!known) digest.update(chunk);
        if (small && sizeBytes + chunk.length > inlineBytesMax) {
          if (small.length > 0) await handle.writeAll(small, 0);
          small = undefined;
        }
        if (small) small.push(chunk);
        else await handle.write(chunk, sizeBytes);
        sizeBytes += chunk.length;
      }
    } catch (error) {
      if (!(error instanceof ContentCorruptError)) throw error;
      const { path: of = path, revision = 0 } = known ?? {};
      throw new RevisionCorruptError({ path: of, revision, where: error.where }, error);
    }
    const held = small?.length === 1 ? small[0] : small && Buffer.concat(small);
    const inline = held && { inline: held };
    // A content that is in a record already is repeated only where it is small enough for this one.
    const isKept = known && (inline !== undefined || "object" in known.content.body);
    const body = isKept ? known.content.body : inline;
    return { sha256: known?.content.sha256 ?? digest.digest(), sizeBytes, body, attributes, held };
  }

  /**
   * Puts a new content into the store, before it is visible. It is flushed and read back meanwhile: each of the three
   * takes as long as its bytes take. Only a local volume has given the bytes their space already; on others the flush may
   * find none, which must not be the copy's fault (I11).
   */
  private async keep(plan: Plan, lease: Lease, part: number, paths: number, sizeBytes: number) {
    const { id } = plan.operation;
    const staged = stagedName(id);
    const name = this.volume.control(paths === 1 ? staged : `${staged}/${writeLeaf(part)}`);
    const handle = lease.attempt.files[part] as Handle;
    const isSynced = this.volume.kind === "network";
    if (isSynced) await handle.sync();
    const put = this.store.put(id, String(part), name).then((object) => {
      lease.attempt.objects.push(object);
      return { object };
    });
    const [body, inspected] = await allOf([put, handle.inspect(sizeBytes), isSynced ? undefined : handle.sync()]);
    return { body, inspected };
  }
}

async function readAll(handle: Handle, sizeBytes: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(sizeBytes);
  await handle.read(bytes, 0);
  return bytes;
}
