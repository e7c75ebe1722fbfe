import { PathInvalidError } from "../errors/index.js";
import { type FilePath, problemOfPath } from "../model/path.js";

/** Checks that `text` is a path in its one spelling (I13); anything else is refused, never converted. */
export function canonicalPath(text: string, field = "path"): FilePath {
  const problem = problemOfPath(text);
  if (problem) throw new PathInvalidError({ field, problem });
  return text as FilePath;
}

/** As `canonicalPath`, with "" for the root of the volume. */
export const canonicalDirectory = (text: string, field = "path"): FilePath | "" =>
  text === "" ? "" : canonicalPath(text, field);
