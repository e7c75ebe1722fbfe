import { createHash } from "node:crypto";

/**
 * File contents that prove themselves: a header line with a name and a size, filler, and a digest at the end. Any
 * torn, mixed or truncated content is told from every whole one.
 */
export function contentOf(name: string, sizeBytes: number): Buffer {
  const header = `${name} ${sizeBytes}\n`;
  const filler = Buffer.alloc(Math.max(0, sizeBytes - header.length - 64), `${name};`);
  const body = Buffer.concat([Buffer.from(header), filler]);
  return Buffer.concat([body, Buffer.from(createHash("sha256").update(body).digest("hex"))]);
}

/** The name in a whole content; throws for anything else. */
export function nameIn(content: Uint8Array): string {
  const bytes = Buffer.from(content);
  const body = bytes.subarray(0, -64);
  const digest = createHash("sha256").update(body).digest("hex");
  if (bytes.subarray(-64).toString() !== digest)
    throw new Error(`torn content of ${bytes.length} bytes: ${JSON.stringify(bytes.subarray(0, 60).toString())}`);
  return body.subarray(0, body.indexOf(" ")).toString();
}
