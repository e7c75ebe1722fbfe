/** A finished span as it is drawn: what a span processor and an OTLP sink both have. */
export interface TraceSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0 unset, 1 ok, 2 error; the message is a reason. */
  readonly status: { readonly code: number; readonly message?: string };
}

/** Wide enough to tell 3 % of a call, narrow enough that name, bar and facts fit on one line of a terminal. */
const BAR_CHARS = 32;

/** Children drawn below one span: a restore of a tree has one per stage and file, and nobody reads more. */
const CHILDREN_MAX = 64;

/** Spans nested deeper are left out; a loop among ids that came over the network ends here. */
const DEPTH_MAX = 16;

interface Node {
  readonly span: TraceSpan;
  readonly children: Node[];
  readonly redis: TraceSpan[];
}

/** The window of time that a bar's full width stands for. */
interface Window {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly nameChars: number;
}

/**
 * Draws spans as trees, the calls by time: a line for each call with its outcome, its stages below with bars on a
 * common scale, and the Redis commands of a stage as one count. Ends with a newline; "" for no spans.
 */
export function renderTrace(spans: readonly TraceSpan[]): string {
  const roots = treesOf(spans);
  return roots.map((root) => `${tree(root).join("\n")}\n`).join("\n");
}

function treesOf(spans: readonly TraceSpan[]): Node[] {
  const sorted = spans.toSorted((left, right) =>
    left.startNs < right.startNs ? -1 : Number(left.startNs > right.startNs),
  );
  const nodes = new Map(
    sorted.map((span) => [keyOf(span.traceId, span.spanId), { span, children: [], redis: [] } as Node]),
  );
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const { traceId, spanId, parentSpanId } = node.span;
    const parent = parentSpanId === spanId ? undefined : nodes.get(keyOf(traceId, parentSpanId));
    if (parent === undefined) roots.push(node);
    else if (isRedis(node.span)) parent.redis.push(node.span);
    else parent.children.push(node);
  }
  return roots;
}

function tree(root: Node): string[] {
  const window = { startNs: root.span.startNs, endNs: root.span.endNs, nameChars: nameCharsOf(root, 0) };
  const facts = [statusOf(root.span), duration(root.span), redisOf(root.redis), `trace ${plain(root.span.traceId)}`];
  return [line([plain(root.span.name), ...facts]), ...below(root, window, "", 1)];
}

/** The lines of everything below `node`, each behind `indent`. */
function below({ children }: Node, window: Window, indent: string, depth: number): string[] {
  if (depth > DEPTH_MAX) return [];
  const lines: string[] = [];
  let operation: unknown;
  const shown = children.slice(0, CHILDREN_MAX);
  const left = children.length - shown.length;
  for (const [at, child] of shown.entries()) {
    const { attributes } = child.span;
    const id = attributes["safefile.operation.id"];
    // Every stage carries its operation; it is said once, before the first.
    if (id !== undefined && id !== operation) lines.push(`${indent}│  ${line(operationFacts(attributes))}`);
    operation = id ?? operation;
    const last = at === shown.length - 1 && left === 0;
    lines.push(`${indent}${last ? "└─" : "├─"} ${stage(child, window, depth)}`);
    lines.push(...below(child, window, `${indent}${last ? "   " : "│  "}`, depth + 1));
  }
  if (left > 0) lines.push(`${indent}└─ … ${left} more`);
  return lines;
}

function stage({ span, redis }: Node, window: Window, depth: number): string {
  const name = plain(span.name).padEnd(window.nameChars - 3 * depth);
  const { "safefile.revision": revision, "safefile.outcome": outcome } = span.attributes;
  return line([
    `${name} ▕${bar(span, window)}▏ ${duration(span).padStart(8)}`,
    statusOf(span),
    revision !== undefined && `revision ${plain(revision)}`,
    outcome !== undefined && plain(outcome),
    span.attributes["safefile.replayed"] === true && "answered before",
    redisOf(redis),
  ]);
}

function operationFacts(attributes: TraceSpan["attributes"]): (string | false)[] {
  const { "safefile.path.hash": hash, "safefile.paths": paths, "safefile.bytes": bytes } = attributes;
  return [
    `operation ${plain(attributes["safefile.operation.id"])}`,
    hash !== undefined && `path ${plain(hash).slice(0, 12)}…`,
    Number(paths) > 1 && `${Number(paths)} paths`,
    bytes !== undefined && `${Number(bytes)} B`,
  ];
}

/** How a call or a stage ended: nothing for a stage that went well, since all its neighbours did, too. */
function statusOf({ attributes, status }: TraceSpan): string | false {
  const code = attributes["rpc.response.status_code"];
  const failure = attributes["error.type"] ?? (status.code === 2 ? status.message || "failed" : undefined);
  if (code !== undefined) return line([plain(code), failure !== undefined && `✗ ${plain(failure)}`]);
  return failure !== undefined && `✗ ${plain(failure)}`;
}

function redisOf(spans: readonly TraceSpan[]): string | false {
  if (spans.length === 0) return false;
  const failed = spans.filter(({ status }) => status.code === 2).length;
  const spentNs = spans.reduce((sum, { startNs, endNs }) => sum + (endNs - startNs), 0n);
  return `redis ×${spans.length} ${time(spentNs)}${failed > 0 ? ` (${failed} failed)` : ""}`;
}

function bar({ startNs, endNs }: TraceSpan, window: Window): string {
  const widthNs = Math.max(1, Number(window.endNs - window.startNs));
  const column = (ns: bigint) => (Number(ns - window.startNs) / widthNs) * BAR_CHARS;
  // At least one block, and inside: clocks of two machines disagree, and a release outlives its call.
  const from = Math.min(BAR_CHARS - 1, Math.max(0, Math.floor(column(startNs))));
  const to = Math.min(BAR_CHARS, Math.max(from + 1, Math.round(column(endNs))));
  return " ".repeat(from) + "█".repeat(to - from) + " ".repeat(BAR_CHARS - to);
}

/** The column where all names of a tree have ended, indents included. */
function nameCharsOf({ children }: Node, depth: number): number {
  if (depth >= DEPTH_MAX) return 0;
  const shown = children.slice(0, CHILDREN_MAX);
  return Math.max(
    0,
    ...shown.map((child) => Math.max(plain(child.span.name).length + 3 * (depth + 1), nameCharsOf(child, depth + 1))),
  );
}

const duration = ({ startNs, endNs }: TraceSpan): string => time(endNs - startNs);

function time(ns: bigint): string {
  const ms = Number(ns) / 1e6;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`;
}

const isRedis = ({ attributes }: TraceSpan): boolean =>
  attributes["db.system.name"] === "redis" || attributes["db.system"] === "redis";

const keyOf = (traceId: string, spanId: string): string => `${traceId}/${spanId}`;

const line = (facts: readonly (string | false)[]): string => facts.filter((fact) => fact !== false).join("  ");

/** Spans come over the network, and a terminal obeys control characters. */
const plain = (value: unknown): string => String(value).replace(/\p{Cc}/gu, "?");
