import type { Base, PathBase } from "../backup/base.js";
import { RevisionCorruptError } from "../errors/index.js";
import type { Lease } from "../lock/lease.js";
import type { Content } from "../model/content.js";
import type { Source } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import { stagedName, writeLeaf } from "../protocol/names.js";
import { ContentCorruptError, type Store } from "../store/store.js";
import type { Plan } from "../validate/plan.js";
import type { Handle, Volume } from "../volume/volume.js";
import type { Staged, StagedFile } from "./staged.js";

/** What a new file gets when nobody says otherwise. */
const MODE_DEFAULT = 0o644;

/** Fourth stage: fills the staged files. Never touches a live one. */
export class Execute {
  constructor(
    private readonly volume: Volume,
    private readonly store: Store,
    private readonly inlineBytesMax: number,
  ) {}

  async run(plan: Plan, base: Base, lease: Lease): Promise<Staged> {
    const timeMs = Math.max(Date.now(), ...base.paths.map(({ head }) => (head?.record.timeMs ?? 0) + 1));
    const files: (StagedFile | undefined)[] = [];
    for (const [part, path] of base.paths.entries()) {
      const { source } = path.intent;
      files.push(source && (await this.fill(plan, lease, path, part, source, timeMs)));
    }
    lease.assertHeld();
    return { files, timeMs };
  }

  private async fill(
    plan: Plan,
    lease: Lease,
    base: PathBase,
    part: number,
    source: Source,
    timeMs: number,
  ): Promise<StagedFile> {
    const { path } = base.intent;
    const handle = lease.attempt.files[part] as Handle;
    const live = base.live ?? (await this.makeParents(path, lease));
    const mode = base.intent.mode ?? base.content?.mode ?? MODE_DEFAULT;
    const { owner, xattrs = {} } = (source.from === "revision" ? source.content : base.content) ?? {};
    const { sha256, sizeBytes } = await this.write(path, handle, source, base.content !== undefined);
    await handle.setAttributes({ mode, owner, xattrs, mtimeNs: BigInt(timeMs) * 1_000_000n });
    const isInline = sizeBytes <= this.inlineBytesMax;
    // A large content is only a digest in the journal, and a network volume has no replay: their bytes go first.
    if (!isInline || this.volume.kind === "network") await handle.sync();
    const body = await this.body(plan, lease, handle, source, part, base, isInline, sizeBytes);
    const stats = await handle.stat();
    const content: Content = { sha256, sizeBytes, mode, owner: stats.owner, xattrs, body };
    return { base, live, handle, content, inode: stats.inode, mtimeNs: stats.mtimeNs };
  }

  private async makeParents(path: FilePath, lease: Lease) {
    const { live, made } = await this.volume.locateWithParents(path);
    lease.held.use(live);
    lease.attempt.madeDirectories.push(...made);
    return live;
  }

  private async write(
    path: FilePath,
    handle: Handle,
    source: Source,
    replaces: boolean,
  ): Promise<{ sha256: Uint8Array; sizeBytes: number }> {
    if (source.from === "upload") return source;
    if (source.from === "bytes") {
      // Allocated blocks spare ext4 the flush that it makes when a rename replaces a file.
      if (replaces) await handle.reserve(source.bytes.length);
      await handle.write(source.bytes, 0);
      return { sha256: source.sha256, sizeBytes: source.bytes.length };
    }
    let position = 0;
    try {
      for await (const chunk of this.store.read(source.content)) {
        await handle.write(chunk, position);
        position += chunk.length;
      }
    } catch (error) {
      if (!(error instanceof ContentCorruptError)) throw error;
      throw new RevisionCorruptError({ path, revision: source.revision, where: error.where }, error);
    }
    return source.content;
  }

  /** Where the new revision's bytes are kept, before it is visible: in the record, or in the store. */
  private async body(
    plan: Plan,
    lease: Lease,
    handle: Handle,
    source: Source,
    part: number,
    base: PathBase,
    isInline: boolean,
    sizeBytes: number,
  ): Promise<Content["body"]> {
    if (source.from === "revision") return source.content.body;
    if (isInline) {
      if (source.from === "bytes") return { inline: source.bytes };
      const bytes = Buffer.alloc(sizeBytes);
      await handle.read(bytes, 0);
      return { inline: bytes };
    }
    const single = plan.operation.intents.length === 1 && base.intent.kind !== "DELETE";
    const staged = stagedName(plan.operation.id);
    const name = this.volume.control(single ? staged : `${staged}/${writeLeaf(part)}`);
    const object = await this.store.put(plan.operation.id, String(part), name);
    lease.attempt.objects.push(object);
    return { object };
  }
}
