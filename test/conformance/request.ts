import { type DescMethod, fromBinary } from "@bufbuild/protobuf";

/** What the suite looks at in a request. */
interface Identified {
  readonly requestId?: unknown;
  readonly options?: { readonly requestId?: string };
  readonly part?: { readonly value?: unknown };
}

/** The request's id, wherever this RPC has it. */
export function requestIdOf(method: DescMethod, bytes: Buffer): string | undefined {
  let message = fromBinary(method.input, bytes) as Identified;
  // An upload begins with its header.
  if (message.part !== undefined) message = (message.part.value ?? {}) as Identified;
  if (typeof message.requestId === "string" && message.requestId !== "") return message.requestId;
  return message.options?.requestId || undefined;
}

/** Where a piece of an upload lies; undefined for what is none. */
export function chunkOffsetOf(method: DescMethod, bytes: Buffer): number | undefined {
  if (method.name !== "UploadFile") return undefined;
  const { part } = fromBinary(method.input, bytes) as { part?: { case?: string; value?: { offset?: bigint } } };
  return part?.case === "chunk" ? Number(part.value?.offset) : undefined;
}
