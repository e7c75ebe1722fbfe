import { ulid } from "ulid";
import { z } from "zod";
import { type Volume, went } from "../volume/volume.js";
import { TOP_DIRECTORIES } from "./names.js";

/** `.safefile/format`: what the volume is, and which version of this software may write to it. */
const Format = z.strictObject({
  volumeId: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/),
  version: z.number().int().positive(),
  features: z.array(z.string()),
});
export type Format = z.infer<typeof Format>;

const VERSION = 1;

export class FormatError extends Error {}

/** Reads the format, or makes a new volume. Throws FormatError for a version or feature that is newer than this. */
export async function openFormat(volume: Volume): Promise<Format> {
  const name = volume.control("format");
  const existing = await volume.readSmall(name);
  if (existing !== undefined) return check(existing);
  for (const directory of TOP_DIRECTORIES) await went(volume.makeDirectory(volume.control(directory)), ["EEXIST"]);
  const format: Format = { volumeId: ulid(), version: VERSION, features: [] };
  // Complete before it has its name, so that nobody reads half of it; the first of several makers wins.
  const draft = volume.control(`format.${format.volumeId}`);
  await volume.createWith(draft, `${JSON.stringify(format)}\n`, true);
  await went(volume.link(draft, name), ["EEXIST"]);
  await volume.unlink(draft);
  await volume.syncDirectory(volume.control("."));
  return check((await volume.readSmall(name)) ?? "");
}

function check(text: string): Format {
  let format: Format;
  try {
    format = Format.parse(JSON.parse(text));
  } catch (error) {
    throw new FormatError(".safefile/format cannot be read; this volume needs a person's look", { cause: error });
  }
  if (format.version > VERSION || format.features.length > 0)
    throw new FormatError(
      `the volume has format ${format.version} with features [${format.features}]; this version of Safefile knows ${VERSION}`,
    );
  return format;
}
