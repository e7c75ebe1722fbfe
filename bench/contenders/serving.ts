import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { type Cleanup, endWithParent } from "../../test/cluster/cleanup.js";

/** Starts `module` as a process of its own, with "serve" and `args`; returns the port that it prints first. */
export async function startServer(cleanup: Cleanup, module: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(module), "serve", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  endWithParent(child);
  cleanup.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, "exit");
  });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`${module} ended with ${code}`)));
  });
}

/** The other side of it: serves and prints its port. */
export async function serve(
  definition: grpc.ServiceDefinition,
  handlers: grpc.UntypedServiceImplementation,
  options: grpc.ServerOptions = {},
): Promise<void> {
  const server = new grpc.Server(options);
  server.addService(definition, handlers);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** A method that takes and returns bytes. */
export const rawMethod = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});
