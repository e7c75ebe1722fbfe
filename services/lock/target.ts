import type { FilePath } from "../model/path.js";

/** `subtree` covers a path and everything below it; "" is the root. */
export type Scope = "path" | "subtree";
/** `shared` goes together with other shared ones only. */
export type Mode = "exclusive" | "shared";

/** What a lease covers. */
export interface Target {
  readonly path: FilePath | "";
  readonly scope: Scope;
  readonly mode: Mode;
}

export const pathTarget = (path: FilePath): Target => ({ path, scope: "path", mode: "exclusive" });
export const subtreeTarget = (path: FilePath | ""): Target => ({ path, scope: "subtree", mode: "exclusive" });

const isBelow = (path: string, directory: string): boolean =>
  directory === "" ? path !== "" : path.startsWith(`${directory}/`);

/** Whether there is a path that both cover. */
export function overlap(left: Target, right: Target): boolean {
  if (left.path === right.path) return true;
  if (left.scope === "subtree" && isBelow(right.path, left.path)) return true;
  return right.scope === "subtree" && isBelow(left.path, right.path);
}

/** Whether they cannot be held at once. */
export const conflict = (left: Target, right: Target): boolean =>
  (left.mode === "exclusive" || right.mode === "exclusive") && overlap(left, right);

/** Whether all that `inner` covers is covered by `outer`, in a mode that is enough. */
export function covers(outer: Target, inner: Target): boolean {
  if (outer.mode === "shared" && inner.mode === "exclusive") return false;
  if (outer.scope === "subtree") return inner.path === outer.path || isBelow(inner.path, outer.path);
  return inner.scope === "path" && inner.path === outer.path;
}

/** Sorted by path and without those that another one covers. Targets of one request may not conflict with each other. */
export function normalised(targets: readonly Target[]): Target[] {
  const kept = targets.filter(
    (target, at) =>
      !targets.some(
        (other, otherAt) => otherAt !== at && covers(other, target) && !(covers(target, other) && otherAt > at),
      ),
  );
  return kept.sort((left, right) => (left.path < right.path ? -1 : left.path > right.path ? 1 : 0));
}
