import { createReadStream } from "node:fs";
import { CliError, EXIT } from "./failure.js";

/** What one append, patch or transaction may hold. */
const CONTENT_BYTES_MAX = 1024 * 1024;
/** Such content in base64, with room for paths. */
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** A local file, or stdin for "-", that is sent at once. */
export function readContent(local: string): Promise<Buffer> {
  return readUpTo(local, CONTENT_BYTES_MAX, "write larger files with `safefile put`");
}

/** A local JSON document, or stdin for "-". */
export async function readDocument(local: string): Promise<unknown> {
  const bytes = await readUpTo(local, DOCUMENT_BYTES_MAX, "split it");
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw new CliError(`${nameOf(local)} is not JSON: ${(error as Error).message}`, EXIT.usage);
  }
}

async function readUpTo(local: string, bytesMax: number, advice: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of (local === "-" ? process.stdin : createReadStream(local)) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new CliError(`${nameOf(local)} has more than ${bytesMax} bytes: ${advice}`, EXIT.usage);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function nameOf(local: string): string {
  return local === "-" ? "stdin" : local;
}
