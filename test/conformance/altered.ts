import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../services/gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../../services/gen/google/rpc/status_pb.js";
import type { Fault, SaidStatus } from "./fault.js";

export const DETAILS_KEY = "grpc-status-details-bin";

/** The messages that go on instead of this one. */
export function alteredMessages(schema: DescMessage, bytes: Buffer, { set, drop, repeat }: Fault): readonly Buffer[] {
  if (set === undefined && drop === undefined && repeat === undefined) return [bytes];
  const json = toJson(schema, fromBinary(schema, bytes), { alwaysEmitImplicit: true }) as Record<string, JsonValue>;
  if (drop !== undefined && drop in json) return [];
  const copies = repeat !== undefined && repeat in json ? 2 : 1;
  for (const [name, value] of Object.entries(set ?? {})) assign(json, name.split("."), value as JsonValue);
  const altered = Buffer.from(toBinary(schema, fromJson(schema, json)));
  return Array.from({ length: copies }, () => altered);
}

/** Numbers in a name are places of a list. */
function assign(json: Record<string, JsonValue>, [first, ...rest]: string[], value: JsonValue): void {
  if (first === undefined || !(first in json)) return;
  if (rest.length === 0) json[first] = value;
  else if (typeof json[first] === "object" && json[first] !== null) assign(json[first] as never, rest, value);
}

export function codeOf(name: string): grpc.status {
  const code = grpc.status[name as keyof typeof grpc.status];
  if (code === undefined) throw new Error(`${name} is no code of gRPC`);
  return code;
}

/** A status as grpc-js sends it. */
export function statusOf(said: SaidStatus): grpc.StatusObject {
  const metadata = new grpc.Metadata();
  const code = codeOf(said.code);
  if (said.garbage) metadata.set(DETAILS_KEY, Buffer.from("this is no status"));
  else if (said.reason !== undefined) {
    const info = anyPack(
      ErrorInfoSchema,
      fromJson(ErrorInfoSchema, { reason: said.reason, domain: said.domain, metadata: said.metadata }),
    );
    const retry =
      said.retryAfterMs === undefined
        ? []
        : [anyPack(RetryInfoSchema, fromJson(RetryInfoSchema, { retryDelay: `${said.retryAfterMs / 1000}s` }))];
    metadata.set(DETAILS_KEY, encode({ code, message: said.message, details: [info, ...retry] } as Status));
  }
  return { code, details: said.message, metadata };
}

/** The server's error, said otherwise. */
export function restated(status: grpc.StatusObject, restate: NonNullable<Fault["restate"]>): grpc.StatusObject {
  const [bytes] = status.metadata.get(DETAILS_KEY);
  if (!(bytes instanceof Buffer)) return status;
  const found = fromBinary(StatusSchema, bytes);
  const code = restate.code === undefined ? status.code : codeOf(restate.code);
  const details = found.details
    .filter(({ typeUrl }) => restate.without === undefined || !typeUrl.endsWith(restate.without))
    .map((any) => {
      const info = anyUnpack(any, ErrorInfoSchema);
      if (info === undefined) return any;
      const entries = Object.entries({ ...info.metadata, ...restate.metadata }).filter(([, value]) => value !== "");
      info.metadata = Object.fromEntries(entries);
      info.reason = restate.reason ?? info.reason;
      return anyPack(ErrorInfoSchema, info);
    });
  const metadata = status.metadata.clone();
  metadata.set(DETAILS_KEY, encode({ ...found, code, details }));
  return { ...status, code, metadata };
}

function encode(status: Status): Buffer {
  return Buffer.from(toBinary(StatusSchema, { ...status, $typeName: "google.rpc.Status" }));
}
