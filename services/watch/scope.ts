import { type FilePath, parentOf } from "../model/path.js";

/** What a watch is about: a path with its direct entries, or with everything below it. "" is the root. */
export interface Scope {
  readonly path: FilePath | "";
  readonly recursive: boolean;
}

export function covers({ path, recursive }: Scope, changed: FilePath): boolean {
  if (changed === path || parentOf(changed) === path) return true;
  return recursive && (path === "" || changed.startsWith(`${path}/`));
}
