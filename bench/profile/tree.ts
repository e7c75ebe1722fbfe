import type { Profiler } from "node:inspector";

/** Calls below each other, with the time that was spent there: the same function under the same callers is one. */
export interface Frame {
  readonly name: string;
  /** Where the function is from: a file below services/, `npm:` and a package, a module of Node, or (native). */
  readonly origin: string;
  /** Microseconds in it and in what it called. */
  us: number;
  /** Microseconds in itself. */
  selfUs: number;
  readonly callees: Map<string, Frame>;
}

const PACKAGE = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/;
const OURS = /\/dist\/(services\/.+)\.js$/;

function originOf(url: string): string {
  const ours = OURS.exec(url)?.[1];
  if (ours) return ours;
  const name = PACKAGE.exec(url)?.[1];
  if (name) return `npm:${name}`;
  return url.startsWith("node:") ? url : "(native)";
}

const newFrame = (name: string, origin: string): Frame => ({ name, origin, us: 0, selfUs: 0, callees: new Map() });

/** Not time of anybody: waiting for something to do, and beginning to record. */
const IDLE = new Set(["(idle)", "(program)", "post node:inspector"]);

/** The profile as one tree; idle time is left out. */
export function treeOf(profile: Profiler.Profile): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfUs = new Map<number, number>();
  for (const [at, id] of (profile.samples ?? []).entries())
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas?.[at] ?? 0));
  const add = (id: number, caller: Frame): number => {
    const node = nodes.get(id);
    if (!node) return 0;
    const { functionName, url } = node.callFrame;
    if (IDLE.has(functionName) || IDLE.has(`${functionName} ${url}`)) return 0;
    const [name, origin] = [functionName || "(anonymous)", originOf(url)];
    const key = `${name} ${origin}`;
    const frame = caller.callees.get(key) ?? newFrame(name, origin);
    caller.callees.set(key, frame);
    let us = selfUs.get(id) ?? 0;
    frame.selfUs += us;
    for (const callee of node.children ?? []) us += add(callee, frame);
    frame.us += us;
    return us;
  };
  const root = newFrame("event loop", "");
  for (const callee of profile.nodes[0]?.children ?? []) root.us += add(callee, root);
  return root;
}

/**
 * Time by what it was spent for: each sample counts for the innermost part of the service on its stack, or for the
 * package that runs there without one.
 */
export function partsOf(root: Frame): Map<string, number> {
  const parts = new Map<string, number>();
  const walk = (frame: Frame, part: string): void => {
    const own = partOf(frame) ?? part;
    parts.set(own, (parts.get(own) ?? 0) + frame.selfUs);
    for (const callee of frame.callees.values()) walk(callee, own);
  };
  walk(root, "Node");
  return new Map([...parts].sort(([, left], [, right]) => right - left));
}

/** services/backup/backup counts for "backup", services/engine for "services". */
function partOf({ name, origin }: Frame): string | undefined {
  if (name === "(garbage collector)") return "garbage collector";
  const parts = origin.split("/");
  if (parts[0] === "services") return parts.length > 2 ? `services/${parts[1]}` : "services";
  return origin.startsWith("npm:") ? origin : undefined;
}

/** The functions that cost most by themselves. */
export function hottest(root: Frame, count: number): { name: string; origin: string; selfUs: number }[] {
  const found = new Map<string, { name: string; origin: string; selfUs: number }>();
  const walk = (frame: Frame): void => {
    const key = `${frame.name} ${frame.origin}`;
    const one = found.get(key) ?? { name: frame.name, origin: frame.origin, selfUs: 0 };
    one.selfUs += frame.selfUs;
    found.set(key, one);
    for (const callee of frame.callees.values()) walk(callee);
  };
  walk(root);
  return [...found.values()].sort((left, right) => right.selfUs - left.selfUs).slice(0, count);
}
