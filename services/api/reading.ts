import { createHash, hash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import { OverloadedError, RevisionCorruptError } from "../errors/index.js";
import {
  type ContentChunk,
  type ContentHeader,
  ContentHeaderSchema,
  type ContentTrailer,
} from "../gen/safefile/v1/common_pb.js";
import { sameBytes } from "../model/content.js";
import type { FilePath } from "../model/path.js";
import type { Files } from "../query/files.js";
import type { Revisions } from "../query/revisions.js";
import { ContentCorruptError, readHandle, type Store } from "../store/store.js";
import { canonicalPath } from "../validate/path.js";
import type { Several } from "./call.js";
import { checkPosition, refuse, toFileInfo, toRevision } from "./wire.js";

/** One message of a download: the oneof that ReadFile and ReadRevision share. */
export interface Part {
  part:
    | { case: "header"; value: ContentHeader }
    | { case: "chunk"; value: Omit<ContentChunk, "$typeName"> }
    | { case: "trailer"; value: Omit<ContentTrailer, "$typeName"> };
}

interface Range {
  readonly path: FilePath;
  readonly offset: number;
  /** 0 for all to the end. */
  readonly limit: number;
}

/** What a read asks for; throws INVALID_ARGUMENT. */
export const rangeOf = (request: { path: string; offset: bigint; limit: bigint }): Range => ({
  path: canonicalPath(request.path),
  offset: checkPosition(request.offset, "offset"),
  limit: checkPosition(request.limit, "limit"),
});

/** Streams of content: header, chunks, trailer; a stream that is cut, or found damaged, has no trailer. */
export class Reading {
  private underWay = 0;

  constructor(
    private readonly volumeName: string,
    private readonly files: Files,
    private readonly revisions: Revisions,
    private readonly store: Store,
    private readonly readsMax: number,
  ) {}

  async live(range: Range): Promise<Several<Part>> {
    return (await this.whole(range)) ?? this.opened(range);
  }

  /** The live file at once, when it is small, known and undamaged. */
  private async whole(range: Range): Promise<Part[] | undefined> {
    using _slot = this.takeSlot();
    const known = await this.files.whole(range.path);
    if (!known) return undefined;
    const { info, bytes } = known;
    const sha256 = hash("sha256", bytes, "buffer");
    if (!info.sha256 || !sameBytes(sha256, info.sha256)) return undefined;
    const [from, to] = within(range, info.sizeBytes);
    const data = bytes.subarray(from, to);
    return [
      headerOf({ file: toFileInfo(this.volumeName, info), offset: BigInt(from), sizeBytes: BigInt(to - from) }),
      ...(data.length > 0 ? [chunkOf(data, from)] : []),
      trailerOf({ sha256, sizeBytes: data.length }, data.length === bytes.length),
    ];
  }

  private async *opened(range: Range): AsyncGenerator<Part> {
    using _slot = this.takeSlot();
    const { handle, info } = await this.files.open(range.path);
    await using open = handle;
    const [from, to] = within(range, info.sizeBytes);
    yield headerOf({ file: toFileInfo(this.volumeName, info), offset: BigInt(from), sizeBytes: BigInt(to - from) });
    const digest = yield* chunksOf(readHandle(open, from, to), from);
    const whole = from === 0 && to === info.sizeBytes;
    // A file that is by its attributes the head, but has other bytes, was damaged where it lies.
    if (whole && info.sha256 && !sameBytes(digest.sha256, info.sha256))
      throw new RevisionCorruptError({ path: range.path, revision: info.revision, where: "live file" });
    yield trailerOf(digest, whole);
  }

  async *revision(range: Range, revision: number): AsyncGenerator<Part> {
    using _slot = this.takeSlot();
    const info = await this.revisions.find(range.path, revision);
    const content = info.content;
    if (!content) refuse("revision", `${info.revision} is a delete and has no content`);
    const [from, to] = within(range, content.sizeBytes);
    yield headerOf({ revision: toRevision(this.volumeName, info), offset: BigInt(from), sizeBytes: BigInt(to - from) });
    try {
      // All of it is read, whatever the range: only the whole has a digest (I9).
      const digest = yield* chunksOf(partOf(this.store.read(content), from, to), from);
      yield trailerOf(digest, from === 0 && to === content.sizeBytes);
    } catch (error) {
      if (!(error instanceof ContentCorruptError)) throw error;
      throw new RevisionCorruptError({ path: range.path, revision: info.revision, where: error.where }, error);
    }
  }

  private takeSlot(): Disposable {
    if (this.underWay >= this.readsMax) throw new OverloadedError({ what: "reads under way", limit: this.readsMax });
    this.underWay += 1;
    return {
      [Symbol.dispose]: () => {
        this.underWay -= 1;
      },
    };
  }
}

function within({ offset, limit }: Range, sizeBytes: number): [from: number, to: number] {
  const from = Math.min(offset, sizeBytes);
  return [from, limit === 0 ? sizeBytes : Math.min(sizeBytes, from + limit)];
}

const headerOf = (header: MessageInitShape<typeof ContentHeaderSchema>): Part => ({
  part: { case: "header", value: create(ContentHeaderSchema, header) },
});

/** The bytes of `source` from `from` to `to`; reads on to its end, where it throws when it is damaged. */
async function* partOf(source: AsyncIterable<Uint8Array>, from: number, to: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  for await (const data of source) {
    const part = data.subarray(Math.max(0, from - position), Math.max(0, to - position));
    if (part.length > 0) yield part;
    position += data.length;
  }
}

interface Sent {
  readonly sha256: Buffer;
  readonly sizeBytes: number;
}

async function* chunksOf(source: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Part, Sent> {
  const digest = createHash("sha256");
  let offset = from;
  for await (const data of source) {
    digest.update(data);
    yield chunkOf(data, offset);
    offset += data.length;
  }
  return { sha256: digest.digest(), sizeBytes: offset - from };
}

const chunkOf = (data: Uint8Array, offset: number): Part => ({
  part: { case: "chunk", value: { data, offset: BigInt(offset), crc32c: crc32c(data) } },
});

const trailerOf = (sent: Sent, whole: boolean): Part => ({
  part: {
    case: "trailer",
    value: { sha256: whole ? sent.sha256 : new Uint8Array(), sizeBytes: BigInt(sent.sizeBytes) },
  },
});
