import { createServer, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import type { Cleanup } from "./cleanup.js";

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Readonly<Record<string, Attribute>> }>;
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>;
  /** Attributes of the process it came from, `service.name` among them. */
  readonly resource: Readonly<Record<string, Attribute>>;
}

export type Attribute = string | number | boolean | null | Attribute[] | { [key: string]: Attribute };

export interface OtlpSink {
  readonly url: string;
  /** What a process needs in its environment to export here, and soon. */
  readonly env: Readonly<Record<string, string>>;
  spans(): readonly Span[];
  /** Every request body so far, for a test that something is nowhere in it. */
  bodies(): readonly string[];
  /** Waits until the spans fulfil `condition` and returns them. Exporters send late, so a test must wait. */
  waitFor(condition: (spans: readonly Span[]) => boolean, timeoutMs?: number): Promise<readonly Span[]>;
  stop(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** Receives OTLP over HTTP in its JSON form and keeps the spans. Metrics and logs are accepted and only kept as text. */
export async function startOtlpSink({ cleanup }: { readonly cleanup: Cleanup }): Promise<OtlpSink> {
  const spans: Span[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    try {
      const body = await bodyOf(request);
      bodies.push(body);
      if (!request.headers["content-type"]?.startsWith("application/json")) {
        response.writeHead(415).end("only JSON: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json\n");
        return;
      }
      if (request.url === "/v1/traces") spans.push(...spansOf(JSON.parse(body) as TraceRequest));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    } catch (failure) {
      response.writeHead(400).end(String(failure));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the sink has no port");
  const url = `http://127.0.0.1:${address.port}`;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  cleanup.defer(stop);
  return {
    url,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_TRACES_SAMPLER: "always_on",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    spans: () => [...spans],
    bodies: () => [...bodies],
    async waitFor(condition, timeoutMs = 10_000) {
      const deadline = performance.now() + timeoutMs;
      while (!condition(spans)) {
        if (performance.now() > deadline) {
          const seen = spans.map((span) => `${span.traceId.slice(0, 8)} ${span.name}`).join("\n");
          throw new Error(`the spans did not come within ${timeoutMs} ms; seen so far:\n${seen || "none"}`);
        }
        await sleep(20);
      }
      return [...spans];
    },
    stop,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = request.headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new Error(`more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

// The JSON form of opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest, as far as it is read here.

interface KeyValue {
  readonly key: string;
  readonly value?: AnyValue;
}

interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly bytesValue?: string;
  readonly arrayValue?: { readonly values?: AnyValue[] };
  readonly kvlistValue?: { readonly values?: KeyValue[] };
}

interface TraceRequest {
  readonly resourceSpans?: ReadonlyArray<{
    readonly resource?: { readonly attributes?: KeyValue[] };
    readonly scopeSpans?: ReadonlyArray<{
      readonly spans?: ReadonlyArray<{
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly startTimeUnixNano?: string;
        readonly endTimeUnixNano?: string;
        readonly attributes?: KeyValue[];
        readonly events?: ReadonlyArray<{ readonly name: string; readonly attributes?: KeyValue[] }>;
        readonly links?: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>;
        readonly status?: { readonly code?: number; readonly message?: string };
      }>;
    }>;
  }>;
}

function spansOf(request: TraceRequest): Span[] {
  return (request.resourceSpans ?? []).flatMap((group) => {
    const resource = recordOf(group.resource?.attributes);
    return (group.scopeSpans ?? []).flatMap((scope) =>
      (scope.spans ?? []).map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        name: span.name,
        startNs: BigInt(span.startTimeUnixNano ?? 0),
        endNs: BigInt(span.endTimeUnixNano ?? 0),
        attributes: recordOf(span.attributes),
        events: (span.events ?? []).map((event) => ({ name: event.name, attributes: recordOf(event.attributes) })),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
        resource,
      })),
    );
  });
}

function recordOf(pairs: readonly KeyValue[] = []): Record<string, Attribute> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plainOf(value)]));
}

function plainOf(value: AnyValue = {}): Attribute {
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plainOf);
  if (value.kvlistValue !== undefined) return recordOf(value.kvlistValue.values);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null;
}
