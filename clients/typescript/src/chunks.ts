/** Where the bytes of an upload come from. A function can be called again, so that the upload can be repeated. */
export type UploadSource = Uint8Array | Pieces | (() => Pieces);

/** A Readable, an async generator, an array of buffers. */
export type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Whether the same bytes can be had once more. */
export function isReplayable(source: UploadSource): boolean {
  return source instanceof Uint8Array || typeof source === "function";
}

/** The source in pieces of exactly `chunkBytes`, but for the last. Many small pieces become one chunk. */
export async function* chunksOf(source: UploadSource, chunkBytes: number): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const piece of piecesOf(source)) {
    if (!(piece instanceof Uint8Array)) throw new TypeError("an upload is made of Uint8Array pieces, not of text");
    let rest = piece;
    while (heldBytes + rest.length >= chunkBytes) {
      const part = rest.subarray(0, chunkBytes - heldBytes);
      yield heldBytes === 0 ? part : Buffer.concat([...held, part]);
      rest = rest.subarray(part.length);
      held = [];
      heldBytes = 0;
    }
    if (rest.length > 0) {
      // A copy: the source may use its buffer again.
      held.push(Buffer.from(rest));
      heldBytes += rest.length;
    }
  }
  if (heldBytes > 0) yield held.length === 1 ? held[0]! : Buffer.concat(held);
}

function piecesOf(source: UploadSource): Pieces {
  if (source instanceof Uint8Array) return [source];
  return typeof source === "function" ? source() : source;
}
