/** The floor of the gRPC edge: a bare grpc-js unary call that returns what it was sent, in a process of its own. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import type { Contender } from "./contender.js";

const raw = {
  path: "/bench.Echo/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
} as const;

export async function echo(): Promise<Contender> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "serve"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return {
    name: "bare grpc-js echo",
    write: (_file, bytes) =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest(
          raw.path,
          raw.requestSerialize,
          raw.responseDeserialize,
          Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
          (error) => (error ? reject(error) : resolve()),
        ),
      ),
    async end() {
      client.close();
      child.kill();
    },
  };
}

if (process.argv[2] === "serve") {
  const server = new grpc.Server();
  server.addService(
    { echo: raw },
    {
      echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
        reply(null, call.request),
    },
  );
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}
