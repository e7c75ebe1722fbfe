import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../services/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../services/gen/google/rpc/status_pb.js";

/** Bytes for one RPC, which may be bytes that no client would send. */
export interface Call {
  readonly method: DescMethod;
  readonly frames: readonly Uint8Array[];
}

/** How a call ended. */
export interface Answer<T = Message> {
  /** The gRPC status by name: "OK". */
  readonly code: string;
  readonly message: string;
  /** What came before the end, in order. */
  readonly messages: readonly T[];
  /** Of the ErrorInfo; undefined when there is none. */
  readonly info: { reason: string; domain: string; metadata: Readonly<Record<string, string>> } | undefined;
  /** Fields of the BadRequest; undefined when there is none. */
  readonly fields: readonly string[] | undefined;
  readonly resource: { readonly type: string; readonly name: string } | undefined;
  /** Of the RetryInfo; undefined when there is none. */
  readonly retryAfterMs: number | undefined;
}

/** A call with well-formed messages, whatever they hold. */
export function ask<M extends DescMethod>(method: M, ...requests: MessageInitShape<M["input"]>[]): Call {
  const frames = requests.map((request) => toBinary(method.input as DescMessage, create(method.input, request)));
  return { method, frames };
}

const DEADLINE_MS = 30_000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** The service without any convenience: bytes in, status and details out. */
export class RawClient {
  readonly #client: grpc.Client;

  constructor(address: string) {
    const options = { "grpc.max_receive_message_length": MESSAGE_BYTES_MAX, "grpc.enable_retries": 0 };
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), options);
  }

  close(): void {
    this.#client.close();
  }

  /** Without an end the server is left waiting for more messages. */
  send({ method, frames }: Call, { end = true, deadlineMs = DEADLINE_MS } = {}): Promise<Answer> {
    const name = `/${method.parent.typeName}/${method.name}`;
    const decode = (bytes: Buffer) => fromBinary(method.output, bytes);
    return this.exchange(name, frames, decode, { end, deadlineMs });
  }

  /** All kinds of RPC are the same on the wire: messages, an end, messages, a status. */
  exchange<T>(
    name: string,
    frames: readonly Uint8Array[],
    decode: (bytes: Buffer) => T,
    { end = true, deadlineMs = DEADLINE_MS } = {},
  ): Promise<Answer<T>> {
    return new Promise((resolve) => {
      const call = this.#client.makeBidiStreamRequest(name, (bytes: Uint8Array) => Buffer.from(bytes), decode, {
        deadline: Date.now() + deadlineMs,
      });
      const messages: T[] = [];
      call.on("data", (message: T) => messages.push(message));
      call.on("error", () => undefined); // "status" tells the same, also for OK
      call.on("status", (status: grpc.StatusObject) => resolve(answerOf(status, messages)));
      for (const frame of frames) call.write(frame);
      if (end) call.end();
    });
  }
}

export function answerOf<T>(status: grpc.StatusObject, messages: readonly T[]): Answer<T> {
  const [bytes] = status.metadata.get("grpc-status-details-bin");
  const details = bytes instanceof Buffer ? fromBinary(StatusSchema, bytes).details : [];
  const [info] = details.map((any) => anyUnpack(any, ErrorInfoSchema)).filter((each) => each !== undefined);
  const [bad] = details.map((any) => anyUnpack(any, BadRequestSchema)).filter((each) => each !== undefined);
  const [retry] = details.map((any) => anyUnpack(any, RetryInfoSchema)).filter((each) => each !== undefined);
  const [resource] = details.map((any) => anyUnpack(any, ResourceInfoSchema)).filter((each) => each !== undefined);
  return {
    code: grpc.status[status.code],
    message: status.details,
    messages,
    info: info && { reason: info.reason, domain: info.domain, metadata: info.metadata },
    fields: bad?.fieldViolations.map(({ field }) => field),
    retryAfterMs: retry?.retryDelay && durationMs(retry.retryDelay),
    resource: resource && { type: resource.resourceType, name: resource.resourceName },
  };
}
