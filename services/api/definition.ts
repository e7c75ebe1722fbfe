/** Turns protobuf-es service descriptors into what grpc-js wants; nobody maintains such a bridge (protobuf-es #252). */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { asBuffer, encoderOf } from "./chunk-frame.js";

export type Request<M extends DescMethod> = MessageShape<M["input"]>;

/** What `create` takes; it passes messages through as they are. */
type Init = MessageInitShape<DescMessage>;

/** Stands for a request that could not be read: grpc-js would answer INTERNAL, but the fault is the caller's. */
export class Unreadable {
  constructor(readonly cause: unknown) {}
}

function read(schema: DescMessage, bytes: Uint8Array): Message | Unreadable {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    return new Unreadable(error);
  }
}

export function definitionOf(service: DescService): grpc.ServiceDefinition {
  const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      originalName: method.localName,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: (message) => asBuffer(toBinary(method.input, create(method.input, message as Init))),
      requestDeserialize: (bytes) => read(method.input, bytes),
      responseSerialize: encoderOf(method.output) as grpc.serialize<unknown>,
      responseDeserialize: (bytes) => fromBinary(method.output, bytes),
    };
  }
  return definition;
}
