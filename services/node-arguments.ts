import { fileURLToPath } from "node:url";

const here = (file: string): URL => new URL(file, import.meta.url);

/**
 * What `node` is started with for a replica, before the module: `node ...NODE_ARGUMENTS main.js`. Without them all works,
 * and uploads and downloads take three times the processor.
 */
export const NODE_ARGUMENTS: readonly string[] = [
  "--enable-source-maps",
  // V8 looks through the whole heap for each 64 MiB of buffers that were made, which a stream of as many bytes makes
  // several times over. With this, buffers count like the heap itself, and limit it.
  "--external-memory-accounted-in-global-limit",
  // The heap, buffers included, grows to twice what is alive before it is looked through; by default several times that,
  // which 64 uploads make 200 MiB of. Half as much more instead of twice costs a write a fifth more processor.
  "--heap-growing-percent=100",
  // Before anything that it is to watch is loaded.
  "--import",
  here("./telemetry/register.js").href,
];

/** The module of a replica's process. */
export const REPLICA_MAIN = fileURLToPath(here("./main.js"));
