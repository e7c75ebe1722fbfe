/**
 * Starts OpenTelemetry before the service is loaded: `node --import ./dist/services/telemetry/register.js main.js`.
 *
 * The standard variables (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT, …) say what is exported. When they name
 * nothing, the SDK is not even loaded: a call still has a trace id (`rpc.ts`) and a span costs next to nothing.
 */
import { register } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";

const { env } = process;

/** How long a shutdown waits for the last spans; a collector that is away must not hold up a replica that drains. */
const FLUSH_MS_MAX = 2_000;

/**
 * Longest that one export, its retries included, keeps a finished process from ending. OpenTelemetry's own 10 s
 * suit a collector on the other side of the world; OTEL_EXPORTER_OTLP_TIMEOUT says otherwise.
 */
const EXPORT_MS_MAX = 2_000;

/** Whether anything of what is measured goes anywhere. */
export let isMeasured = false;

let shutdown: () => Promise<void> = async () => undefined;

/** Sends what is still waiting, for a bounded time, and stops. Never throws: the service ends the same without it. */
export async function shutdownTelemetry(): Promise<void> {
  const timer = new AbortController();
  const limit = sleep(FLUSH_MS_MAX, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([shutdown().catch(() => undefined), limit]);
  timer.abort();
}

/** Whether anything takes what is measured. A named exporter without an endpoint goes to OTLP's default one. */
function exports(signal: "TRACES" | "METRICS"): boolean {
  const exporter = env[`OTEL_${signal}_EXPORTER`]?.trim();
  if (exporter) return exporter !== "none";
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}

async function start(): Promise<void> {
  const onConsole = env.SAFEFILE_TRACE_CONSOLE === "1" || env.SAFEFILE_TRACE_CONSOLE === "only";
  const traces = onConsole || exports("TRACES");
  const metrics = exports("METRICS");
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || !(traces || metrics)) return;

  // `process` would export the command line, which may name paths (I15).
  env.OTEL_NODE_RESOURCE_DETECTORS ??= "env,host";
  env.OTEL_EXPORTER_OTLP_TIMEOUT ??= String(EXPORT_MS_MAX);
  // OpenTelemetry would listen on every interface, and there is no authentication.
  env.OTEL_EXPORTER_PROMETHEUS_HOST ??= "127.0.0.1";
  const named = env.OTEL_SERVICE_NAME || env.OTEL_RESOURCE_ATTRIBUTES?.includes("service.name=");

  // The hook must be there before anything imports ioredis. Other modules pass it untouched.
  if (traces) register("@opentelemetry/instrumentation/hook.mjs", import.meta.url, { data: { include: ["ioredis"] } });
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const sdk = new NodeSDK({
    ...(named ? {} : { serviceName: "safefile" }),
    ...(onConsole ? { spanProcessors: [await consoleTraces()] } : traces ? {} : { spanProcessors: [] }),
    ...(metrics ? {} : { metricReaders: [] }),
    logRecordProcessors: [],
    instrumentations: traces ? [(await import("./redis.js")).redisSpans()] : [],
  });
  sdk.start();
  isMeasured = true;
  shutdown = () => sdk.shutdown();
}

async function consoleTraces() {
  if (exports("TRACES"))
    process.emitWarning("SAFEFILE_TRACE_CONSOLE prints traces instead of exporting them: unset one of the two.");
  const { TraceConsole } = await import("./console.js");
  return new TraceConsole({ operationsOnly: env.SAFEFILE_TRACE_CONSOLE === "only" });
}

// Threads load it, too; nothing is measured there.
if (isMainThread) await start();
