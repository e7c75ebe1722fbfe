import { createHash } from "node:crypto";
import { status as Code } from "@grpc/grpc-js";
import { crc32c } from "./crc32c.js";
import type { ContentChunk, ContentHeader, ContentTrailer } from "./gen/safefile/v1/common_pb.js";
import { SafefileError } from "./safefile-error.js";

/** A message of ReadFile or ReadRevision. */
export interface ContentPart {
  readonly part:
    | { readonly case: "header"; readonly value: ContentHeader }
    | { readonly case: "chunk"; readonly value: ContentChunk }
    | { readonly case: "trailer"; readonly value: ContentTrailer }
    | { readonly case: undefined; readonly value?: undefined };
}

/** One download, checked message by message as it arrives: nothing may be missing, moved or damaged. */
export class Arrival {
  readonly header: ContentHeader;
  /** How many bytes will come. */
  readonly sizeBytes: number;
  /** SHA-256 of the whole content, computed here and equal to the server's. Undefined before the end, or of a part. */
  sha256: Uint8Array | undefined;
  readonly #path: string;
  readonly #start: number;
  readonly #isWhole: boolean;
  readonly #hash = createHash("sha256");
  #at: number;
  #ended = false;

  constructor(first: ContentPart | undefined, path: string) {
    if (first?.part.case !== "header") throw broken(path, "did not begin with a header");
    const { file, revision, offset, sizeBytes } = first.part.value;
    this.header = first.part.value;
    this.#path = path;
    this.#start = this.#at = Number(offset);
    this.sizeBytes = Number(sizeBytes);
    this.#isWhole = offset === 0n && sizeBytes === ((file ?? revision)?.sizeBytes ?? -1n);
  }

  /** The bytes of the next message; undefined for the last one. */
  take({ part }: ContentPart): Uint8Array | undefined {
    if (this.#ended) throw broken(this.#path, "went on after its end");
    if (part.case === "trailer") return this.#end(part.value);
    if (part.case !== "chunk") throw broken(this.#path, "held something unknown");
    const { data, offset, crc32c: sum } = part.value;
    if (Number(offset) !== this.#at) throw broken(this.#path, `jumped from byte ${this.#at} to ${offset}`);
    this.#at += data.length;
    if (this.#at - this.#start > this.sizeBytes) throw broken(this.#path, "held more bytes than it said");
    // The whole has a SHA-256. A part has not, so each piece is checked.
    if (this.#isWhole) this.#hash.update(data);
    else if (sum !== undefined && crc32c(data) !== sum) throw broken(this.#path, "was damaged on the way");
    return data;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  #end(trailer: ContentTrailer): undefined {
    this.#ended = true;
    const sentBytes = this.#at - this.#start;
    if (Number(trailer.sizeBytes) !== sentBytes || sentBytes !== this.sizeBytes) {
      throw broken(this.#path, `came with ${sentBytes} bytes of ${this.sizeBytes}`);
    }
    if (!this.#isWhole || trailer.sha256.length === 0) return;
    const sha256 = this.#hash.digest();
    if (!sha256.equals(trailer.sha256)) throw broken(this.#path, "does not have the SHA-256 it came with");
    this.sha256 = sha256;
  }
}

/** What has come when there are no more messages. */
export function arrived(arrival: Arrival | undefined, path: string): Arrival {
  if (!arrival) throw broken(path, "did not begin with a header");
  if (!arrival.hasEnded) throw broken(path, "was cut short");
  return arrival;
}

function broken(path: string, what: string): SafefileError {
  return new SafefileError(Code.DATA_LOSS, `The content of ${path} ${what}. Read it again.`, {
    metadata: { path },
  });
}
