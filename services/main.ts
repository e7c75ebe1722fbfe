/** The process: settings in, one replica, signals out. */
import { setMaxListeners } from "node:events";
import { pino } from "pino";
import { ConfigError, loadConfig } from "./config.js";
import { Replica } from "./replica.js";
import { shutdownTelemetry } from "./telemetry/register.js";

/** EX_SOFTWARE of sysexits(3): the replica left because it could not keep a promise; start it again. */
const EXIT_LEFT = 70;
const EXIT_CONFIG = 78;

// Read by libuv at the first file call: more than its 4 threads, since a flush occupies one for its whole length.
process.env.UV_THREADPOOL_SIZE ??= "16";
process.umask(0o022);
setMaxListeners(0);

function readConfig() {
  try {
    return loadConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`The settings cannot be used:\n${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

const config = readConfig();
const log = pino({ level: config.logLevel });

const leave = (reason: string): void => {
  log.fatal({ reason }, "leaving at once; start again to recover");
  process.exit(EXIT_LEFT);
};

const replica = await Replica.start(config, log, leave);
const address = await replica.serve();
let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    replica
      .stop()
      .then(shutdownTelemetry)
      .then(
        () => process.exit(0),
        (error: unknown) => leave(String(error)),
      );
  });
}

// Last: whoever waits for it may send a signal at once.
log.info({ address, incarnation: replica.id, volume: config.volumeName }, "ready");
