/** The process: settings in, one replica, signals out. */
import { setMaxListeners } from "node:events";
import { pino } from "pino";
import { ConfigError, loadConfig } from "./config.js";
import { Replica } from "./replica.js";
import { shutdownTelemetry } from "./telemetry/register.js";
import { pulse } from "./volume/pulse.js";

/** EX_SOFTWARE of sysexits(3): the replica left because it could not keep a promise; start it again. */
const EXIT_LEFT = 70;
/** EX_TEMPFAIL: told twice to stop, or something did not end in time; another replica settles what is left. */
const EXIT_CUT_OFF = 75;
const EXIT_CONFIG = 78;
/** A file call that takes longer than this as the process ends is not waited for; the exit code is then that of a kill. */
const HUNG_MS = 1_000;

// Read by libuv at the first file call: more than its 4 threads, since a flush occupies one for its whole length, and on a
// network volume every call does. A large content takes two.
process.env.UV_THREADPOOL_SIZE ??= "32";
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

/** An ordinary exit waits for the threads of file calls, which a volume that hangs never gives back. */
function exit(code: number): void {
  if (pulse.silentMs > HUNG_MS) process.kill(process.pid, "SIGKILL");
  process.exit(code);
}

const leave = (reason: string): void => {
  log.fatal({ reason }, "leaving at once; start again to recover");
  exit(EXIT_LEFT);
};

let ending = false;
const end = (why: string): void => {
  if (ending) return;
  ending = true;
  log.info({ why }, "stopping");
  replica
    .stop()
    .then(async (inOrder) => {
      await shutdownTelemetry();
      exit(inOrder ? 0 : EXIT_CUT_OFF);
    })
    .catch((error: unknown) => leave(String(error)));
};

const replica = await Replica.start(config, log, leave, () => end("DrainReplica"));
const address = await replica.serve();
let signals = 0;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    signals += 1;
    if (signals > 1) exit(EXIT_CUT_OFF);
    end(signal);
  });
}

// Last: whoever waits for it may send a signal at once.
log.info({ address, incarnation: replica.id, volume: config.volumeName }, "ready");
