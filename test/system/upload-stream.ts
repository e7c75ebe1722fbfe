import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { crc32c } from "@node-rs/crc32";
import type { ContentChunkSchema } from "../../services/gen/safefile/v1/common_pb.js";
import {
  FileOpsService,
  UploadFileRequestSchema,
  type UploadFileResponse,
  type UploadHeaderSchema,
} from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import type { Cleanup } from "../cluster/cleanup.js";
import { type Answer, answerOf } from "./raw.js";

export type Header = MessageInitShape<typeof UploadHeaderSchema>;

const CHUNK_BYTES = 256 * 1024;
const DEADLINE_MS = 120_000;

/** One UploadFile call, message by message, over a connection of its own that can be cut. */
export class UploadStream {
  readonly answer: Promise<Answer<UploadFileResponse>>;
  readonly #call: grpc.ClientDuplexStream<Uint8Array, UploadFileResponse>;

  constructor(cleanup: Cleanup, address: string, header: Header) {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), { "grpc.enable_retries": 0 });
    cleanup.defer(() => client.close());
    const { parent, name, output } = FileOpsService.method.uploadFile;
    this.#call = client.makeBidiStreamRequest(
      `/${parent.typeName}/${name}`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(output, bytes),
      { deadline: Date.now() + DEADLINE_MS },
    );
    const messages: UploadFileResponse[] = [];
    this.#call.on("data", (message: UploadFileResponse) => messages.push(message));
    this.#call.on("error", () => undefined); // "status" tells the same, also for OK
    this.answer = new Promise((resolve) =>
      this.#call.on("status", (status: grpc.StatusObject) => resolve(answerOf(status, messages))),
    );
    this.#write({ part: { case: "header", value: header as never } });
  }

  /** Sends `bytes` as chunks that begin at `offset`, no faster than the server takes them. */
  async send(bytes: Uint8Array, offset = 0): Promise<this> {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const data = bytes.subarray(at, at + CHUNK_BYTES);
      if (!this.sendChunk({ data, offset: BigInt(offset + at), crc32c: crc32c(data) }))
        await Promise.race([once(this.#call, "drain"), this.answer]);
    }
    return this;
  }

  /** One chunk, as it is. False when the server is slower. */
  sendChunk(value: MessageInitShape<typeof ContentChunkSchema>): boolean {
    return this.#write({ part: { case: "chunk", value: value as never } });
  }

  #write(message: MessageInitShape<typeof UploadFileRequestSchema>): boolean {
    return this.#call.write(toBinary(UploadFileRequestSchema, create(UploadFileRequestSchema, message)));
  }

  /** Asks for the commit. */
  end(): Promise<Answer<UploadFileResponse>> {
    this.#call.end();
    return this.answer;
  }

  /** Breaks the stream, as a client that is gone does. */
  async cut(): Promise<void> {
    this.#call.cancel();
    await this.answer;
  }
}

const uploads = (volume: string) => path.join(volume, ".safefile/uploads");

/** Names below `uploads/`, sorted. */
export const uploadNames = async (volume: string): Promise<string[]> => (await readdir(uploads(volume))).sort();

export interface Kept {
  readonly file: string;
  readonly state: string;
  readonly sizeBytes: number;
}

/** Files that hold the bytes of uploads. */
export async function keptFiles(volume: string): Promise<Kept[]> {
  const names = (await uploadNames(volume)).filter((name) => /^r-[0-9a-f]+\.\d+\.\w+\.\d+$/.test(name));
  const files = names.map(async (name) => {
    const file = path.join(uploads(volume), name);
    // Undefined for one that was removed since it was listed.
    const sizeBytes = (await stat(file).catch(() => undefined))?.size;
    return sizeBytes === undefined ? [] : [{ file, state: `${file}.state`, sizeBytes }];
  });
  return (await Promise.all(files)).flat();
}

/** Waits until something is as it should be; the test's own timeout ends it. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}

/** Waits until one file holds so many bytes. */
export const received = (volume: string, sizeBytes: number): Promise<Kept> =>
  until(async () => (await keptFiles(volume)).find((kept) => kept.sizeBytes >= sizeBytes));
