/** A client whose stubs were made from the first proto that was ever served: what it knows goes on working. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  createFileRegistry,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld, type World } from "../system/world.js";

const IMAGE = fileURLToPath(new URL("../../../test/clients/previous/first.binpb", import.meta.url));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(IMAGE)));

const cleanup = new Cleanup();
let world: World;
let client: grpc.Client;
before(async () => {
  world = await startWorld(cleanup);
  client = new grpc.Client(world.replica.address, grpc.credentials.createInsecure());
  cleanup.defer(() => client.close());
});
after(() => cleanup.end());

/** Makes a call with the old stubs; returns all messages of the answer, as the old stubs read them. */
async function call(service: string, name: string, ...requests: JsonObject[]): Promise<JsonObject[]> {
  const method: DescMethod | undefined = registry
    .getService(`safefile.v1.${service}`)
    ?.methods.find((one) => one.name === name);
  assert.ok(method, `${name} was there from the beginning`);
  const stream = client.makeBidiStreamRequest(
    `/${method.parent.typeName}/${name}`,
    (json: JsonValue) => Buffer.from(toBinary(method.input, fromJson(method.input, json))),
    (bytes) => toJson(method.output, fromBinary(method.output, bytes)) as JsonObject,
  );
  for (const request of requests) stream.write(request);
  stream.end();
  const answers: JsonObject[] = [];
  for await (const answer of stream as AsyncIterable<JsonObject>) answers.push(answer);
  return answers;
}

const data = (text: string) => Buffer.from(text).toString("base64");
const at = (json: JsonValue | undefined, ...names: string[]) =>
  names.reduce((found, name) => (found as JsonObject | undefined)?.[name], json);

test("it writes, looks, lists and reads", async () => {
  const [written] = await call("FileOpsService", "WriteFile", { path: "old/a", data: data("one"), mode: 0o600 });
  assert.equal(at(written, "result", "revision", "revision"), "1");
  const [stat] = await call("FileOpsService", "StatFile", { path: "old/a" });
  assert.equal(at(stat, "file", "sizeBytes"), "3");
  const [list] = await call("FileOpsService", "ListFiles", { path: "old" });
  assert.equal(at(list, "files", "0", "path"), "old/a");
  const [header, chunk, trailer] = await call("FileOpsService", "ReadFile", { path: "old/a" });
  assert.equal(at(header, "header", "file", "etag"), at(stat, "file", "etag"));
  assert.equal(at(chunk, "chunk", "data"), data("one"));
  assert.equal(at(trailer, "trailer", "sizeBytes"), "3");
});

test("it uploads", async () => {
  const parts: JsonObject[] = [
    { header: { path: "old/up", options: { requestId: "old:upload" } } },
    { chunk: { data: data("first "), offset: "0" } },
    { chunk: { data: data("second"), offset: "6" } },
  ];
  const [uploaded] = await call("FileOpsService", "UploadFile", ...parts);
  assert.equal(at(uploaded, "result", "file", "sizeBytes"), "12");
  assert.equal(at(uploaded, "result", "requestId"), "old:upload");
});

test("it reads revisions, also of kinds that it does not know, and goes back", async () => {
  await call("FileOpsService", "WriteFile", { path: "old/r", data: data("one") });
  // A kind that came later: the old stub has no name for it.
  await world.client.append("old/r", Buffer.from("two"));
  const [listed] = await call("RecoveryService", "ListRevisions", { path: "old/r" });
  assert.equal(at(listed, "revisions", "0", "revision"), "2");
  const [, chunk] = await call("RecoveryService", "ReadRevision", { path: "old/r", revision: "1" });
  assert.equal(at(chunk, "chunk", "data"), data("one"));
  const [back] = await call("RecoveryService", "RollbackFile", { path: "old/r", revision: "1" });
  assert.equal(at(back, "result", "revision", "revision"), "3");
  const [removed] = await call("FileOpsService", "DeleteFile", { path: "old/r" });
  assert.equal(at(removed, "result", "backupRevision"), "3");
});

test("it restores and watches the restore to its end", async () => {
  const [written] = await call("FileOpsService", "WriteFile", { path: "old/t/a", data: data("one") });
  await call("FileOpsService", "WriteFile", { path: "old/t/a", data: data("two") });
  const asOfOperation = at(written, "result", "operationId") as string;
  const [started] = await call("RecoveryService", "StartRestore", { path: "old/t", tree: true, asOfOperation });
  const events = await call("RecoveryService", "WatchRestore", { restoreId: at(started, "restoreId") as string });
  assert.equal(at(events.at(-1), "progress", "state"), "RESTORE_STATE_SUCCEEDED");
});

test("it gets the codes that it knows", async () => {
  const codeOf = (name: string, request: JsonObject) =>
    call("FileOpsService", name, request).then(
      () => "OK",
      (error: grpc.ServiceError) => grpc.status[error.code],
    );
  await call("FileOpsService", "WriteFile", { path: "old/e", data: data("one") });
  const late = { path: "old/e", data: data("two"), options: { precondition: { etag: '"other"' } } };
  assert.equal(await codeOf("WriteFile", late), "ABORTED");
  assert.equal(await codeOf("StatFile", { path: "old/missing" }), "NOT_FOUND");
  assert.equal(await codeOf("WriteFile", { path: "../e", data: data("x") }), "INVALID_ARGUMENT");
});
