import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ContentChunk, ContentChunkSchema } from "../gen/safefile/v1/common_pb.js";

/** A message of a download, as far as it may hold a chunk. */
interface Part {
  readonly part: { readonly case: string; readonly value: object };
}

const DATA = ContentChunkSchema.field.data.number;

/**
 * How messages of type `schema` become bytes. Chunks of content are put together here, because nearly all bytes of a
 * download pass: one copy of the data instead of four, and no buffer that grows by doubling.
 */
export function encoderOf(schema: DescMessage): (message: object) => Buffer {
  const encode = (message: object): Buffer =>
    asBuffer(toBinary(schema, create(schema, message as MessageInitShape<DescMessage>)));
  const chunk = schema.fields.find((field) => field.message === ContentChunkSchema && field.oneof?.name === "part");
  if (!chunk) return encode;
  return (message) => {
    const { part } = message as Part;
    return part.case === "chunk" ? encodeChunk(chunk.number, part.value as ContentChunk) : encode(message);
  };
}

function encodeChunk(field: number, { data, offset, crc32c }: ContentChunk): Buffer {
  // Fields may come in any order, so what is small is encoded as ever and put behind.
  const rest = toBinary(
    ContentChunkSchema,
    create(ContentChunkSchema, { offset, ...(crc32c !== undefined && { crc32c }) }),
  );
  const dataHead = new BinaryWriter().tag(DATA, WireType.LengthDelimited).uint32(data.length).finish();
  const innerBytes = dataHead.length + data.length + rest.length;
  const head = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(innerBytes).raw(dataHead).finish();
  return Buffer.concat([head, data, rest]);
}

/** The same bytes, without a copy. */
export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
