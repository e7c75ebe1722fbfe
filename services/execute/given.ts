import type { PathBase } from "../backup/base.js";
import { ArgumentInvalidError } from "../errors/index.js";
import type { Content } from "../model/content.js";
import type { Edit, Source } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { Store } from "../store/store.js";

/** What a new file is to hold, before it is written. */
export interface Given {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Set when the bytes are exactly those of a revision that the store has. */
  readonly known: { readonly content: Content; readonly path: FilePath; readonly revision: number } | undefined;
  /** Mode, owner and extended attributes unless the request says otherwise; undefined for a new file's own. */
  readonly attributes: Pick<Content, "mode" | "owner" | "xattrs"> | undefined;
}

type Filling = Exclude<Source, { from: "upload" }>;

/** Turns each kind of source into bytes and attributes. */
export async function give(source: Filling, base: PathBase, bases: readonly PathBase[], store: Store): Promise<Given> {
  const { path } = base.intent;
  const before = base.content;
  const bytesOf = (content: Content | undefined) => (content ? store.read(content) : none());
  const repeat = (content: Content, revision: number, of = path): Given => ({
    chunks: store.read(content),
    known: { content, path: of, revision },
    attributes: content,
  });
  switch (source.from) {
    case "bytes":
      return { chunks: one(source.bytes), known: undefined, attributes: before };
    case "revision":
      return repeat(await source.find(), source.revision);
    case "base":
      return repeat(before as Content, base.revision);
    case "append":
      return { chunks: joined(bytesOf(before), one(source.bytes)), known: undefined, attributes: before };
    case "patch":
      checkEdits(source.edits, before?.sizeBytes ?? 0);
      return { chunks: edited(bytesOf(before), source.edits), known: undefined, attributes: before };
    case "path": {
      const moved = bases.find(({ intent }) => intent.path === source.path) as PathBase;
      return repeat(moved.content as Content, moved.revision, source.path);
    }
    case "copy": {
      const { content, attributes, read } = await source.open();
      if (content) return repeat(content, source.revision, source.path);
      return { chunks: read(), known: undefined, attributes };
    }
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* joined(...parts: AsyncIterable<Uint8Array>[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield* part;
}

/** Edits count in the content before any of them; throws INVALID_ARGUMENT for one that reaches beyond its end. */
export function checkEdits(edits: readonly Edit[], sizeBytes: number): void {
  for (const [at, { offset, lengthBytes }] of edits.entries())
    if (offset + lengthBytes > sizeBytes)
      throw new ArgumentInvalidError({
        field: `edits[${at}]`,
        problem: `reaches to byte ${offset + lengthBytes}, but the file has ${sizeBytes} bytes`,
      });
}

/** `chunks` with `edits` made, which come in rising order and do not overlap; each chunk is seen once. */
async function* edited(chunks: AsyncIterable<Uint8Array>, edits: readonly Edit[]): AsyncGenerator<Uint8Array> {
  let next = 0;
  let start = 0;
  /** Where the content goes on behind the last edit. */
  let from = 0;
  for await (const chunk of chunks) {
    const end = start + chunk.length;
    for (let edit = edits[next]; edit && edit.offset < end; edit = edits[++next]) {
      if (edit.offset > from) yield chunk.subarray(Math.max(0, from - start), edit.offset - start);
      if (edit.data.length > 0) yield edit.data;
      from = Math.max(from, edit.offset + edit.lengthBytes);
    }
    if (from < end) yield chunk.subarray(Math.max(0, from - start));
    from = Math.max(from, end);
    start = end;
  }
  for (const { data } of edits.slice(next)) if (data.length > 0) yield data;
}
