import assert from "node:assert/strict";
import { once } from "node:events";
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import http2 from "node:http2";
import path from "node:path";
import { after, before, test } from "node:test";
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { FileOpsService, type TransactionOperationSchema } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { RecoveryService } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { Asking } from "./asking.js";
import { ask } from "./raw.js";
import { startWorld, stateOf, type World } from "./world.js";

type Step = MessageInitShape<typeof TransactionOperationSchema>;

const files = FileOpsService.method;
const cleanup = new Cleanup();
let world: World;
before(async () => {
  // Few calls at once, so that one that never ends is noticed soon.
  world = await startWorld(cleanup, { SAFEFILE_OPERATIONS_MAX: "100", SAFEFILE_READS_MAX: "20" });
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);
const bytes = (text: string) => Buffer.from(text);
const text = (name: string) => readFile(at(name), "utf8");
const descriptors = async () => (await readdir(`/proc/${world.replica.pid}/fd`)).length;

const { call, refusal, history } = new Asking(() => world);

const write = (name: string, content: string | Buffer, options = {}) =>
  call(files.writeFile, { path: name, data: Buffer.from(content as string), options });

test("the mode of an append is for a file that is made, not for one that is there", async () => {
  await call(files.writeFile, { path: "mode", data: bytes("x"), mode: 0o640 });
  await call(files.appendFile, { path: "mode", data: bytes("y"), mode: 0o600 });
  assert.equal((await lstat(at("mode"))).mode & 0o777, 0o640);
});

test("a directory does not move to where what is in it could not be named any more", async () => {
  const long = "d".repeat(250);
  await write(`from/${long}/${long}/${long}/file`, "x");
  const targetPath = Array(6).fill(long).join("/");
  assert.equal(await refusal(files.moveFile, { path: "from", targetPath }), "PATH_INVALID");
  await write(`deep/${Array(40).fill("d").join("/")}/file`, "x");
  const deeper = Array(40).fill("t").join("/");
  assert.equal(await refusal(files.moveFile, { path: "deep", targetPath: deeper }), "PATH_INVALID");
});

test("validate_only finds what the change itself would find", async () => {
  await write("valid", "0123");
  const options = { validateOnly: true };
  const copy: Step[] = [{ path: "none", action: { case: "copy", value: { targetPath: "copied" } } }];
  assert.equal(await refusal(files.executeTransaction, { operations: copy, options }), "PATH_NOT_FOUND");
  const edits = [{ offset: 3n, length: 2n, data: bytes("x") }];
  assert.equal(await refusal(files.patchFile, { path: "valid", edits, options }), "ARGUMENT_INVALID");
  const patch: Step[] = [{ path: "valid", action: { case: "patch", value: { edits } } }];
  assert.equal(await refusal(files.executeTransaction, { operations: patch, options }), "ARGUMENT_INVALID");
  await mkdir(at("there"));
  const made = await call(files.makeDirectory, { path: "there", allowExisting: true, options });
  assert.equal(made.result?.validatedOnly, true);
  const state = await stateOf(world.volume);
  const good: [DescMethod, object][] = [
    [files.appendFile, { path: "valid", data: bytes("x") }],
    [files.appendFile, { path: "new/file", data: bytes("x") }],
    [files.patchFile, { path: "valid", edits: [{ offset: 4n, data: bytes("x") }] }],
    [files.setAttributes, { path: "valid", mode: 0o600 }],
    [files.moveFile, { path: "valid", targetPath: "new/file" }],
    [files.moveFile, { path: "there", targetPath: "new/there" }],
    [files.copyFile, { path: "valid", targetPath: "new/file" }],
    [files.makeDirectory, { path: "new/there" }],
    [files.deleteFile, { path: "there", recursive: true }],
    [files.executeTransaction, { operations: [{ path: "valid", action: { case: "delete", value: {} } }] }],
  ];
  for (const [method, request] of good) {
    const { result } = (await call(method, { ...request, options } as never)) as {
      result?: { validatedOnly: boolean };
    };
    assert.equal(result?.validatedOnly, true, method.name);
  }
  assert.deepEqual(await stateOf(world.volume), state);
});

test("a copy that only validates holds no file open", async () => {
  await writeFile(at("outside"), "from outside");
  const validate = { path: "outside", targetPath: "nowhere", options: { validateOnly: true } };
  await call(files.copyFile, validate);
  const before = await descriptors();
  for (let at = 0; at < 50; at++) await call(files.copyFile, validate);
  assert((await descriptors()) < before + 25);
});

test("copies of one file to many places may all name the same precondition", async () => {
  await write("template", "t");
  const copies = Array.from({ length: 3 }, (_, index): Step => {
    const action = { case: "copy" as const, value: { targetPath: `copies/${index}` } };
    return { path: "template", precondition: { ifRevision: 1n }, action };
  });
  const operations = [...copies, { path: "template", precondition: { ifRevision: 1n } }];
  await call(files.executeTransaction, { operations });
  assert.equal(await text("copies/2"), "t");
  const wrong = [...copies, { path: "template", precondition: { ifRevision: 2n } }];
  assert.equal(await refusal(files.executeTransaction, { operations: wrong }), "ARGUMENT_INVALID");
});

test("I17: what would change a path twice is refused: swaps, chains, a path below another", async () => {
  for (const name of ["s/a", "s/b", "s/c"]) await write(name, name);
  const move = (from: string, targetPath: string): Step => ({
    path: from,
    action: { case: "move", value: { targetPath, overwrite: true } },
  });
  const put = (name: string): Step => ({ path: name, action: { case: "write", value: { data: bytes("x") } } });
  const wrong: Step[][] = [
    [move("s/a", "s/b"), move("s/b", "s/a")],
    [move("s/a", "s/b"), move("s/b", "s/d")],
    [move("s/b", "s/d"), move("s/a", "s/b")],
    [move("s/a", "s/b"), put("s/a")],
    [put("s/n"), put("s/n/below")],
    [{ path: "s/a", action: { case: "delete", value: {} } }, put("s/a/below")],
    [move("s/a", "s/a/below")],
    [put("s/a"), { path: "s/a", precondition: { ifRevision: 1n } }],
  ];
  for (const operations of wrong)
    assert.equal(await refusal(files.executeTransaction, { operations }), "ARGUMENT_INVALID");
  const directory = await refusal(files.moveFile, { path: "s/a", targetPath: "s", overwrite: true });
  assert.equal(directory, "ARGUMENT_INVALID");
});

test("a copy in a transaction that also changes its source takes what was there before", async () => {
  await write("c/source", "before");
  const operations: Step[] = [
    { path: "c/source", action: { case: "copy", value: { targetPath: "c/copy" } } },
    { path: "c/source", action: { case: "write", value: { data: bytes("after") } } },
  ];
  await call(files.executeTransaction, { operations });
  assert.deepEqual([await text("c/copy"), await text("c/source")], ["before", "after"]);
});

test("directories have revisions without content: listed, not read, not gone back to", async () => {
  await call(files.makeDirectory, { path: "story" });
  await rm(at("story"), { recursive: true });
  await write("story", "now a file");
  await call(files.deleteFile, { path: "story" });
  await write("story/in", "x");
  await call(files.deleteFile, { path: "story", recursive: true });
  assert.deepEqual(
    (await history("story")).map((line) => line.split(" ").slice(0, 2).join(" ")),
    ["5 REMOVE_DIRECTORY", "4 DELETE", "3 WRITE", "2 EXTERNAL_DELETE", "1 MAKE_DIRECTORY"],
  );
  for (const revision of [1n, 2n, 5n]) {
    assert.equal(await refusal(RecoveryService.method.rollbackFile, { path: "story", revision }), "ARGUMENT_INVALID");
    assert.equal(await refusal(RecoveryService.method.readRevision, { path: "story", revision }), "ARGUMENT_INVALID");
    const operations: Step[] = [{ path: "story", action: { case: "rollback", value: { revision } } }];
    assert.equal(await refusal(files.executeTransaction, { operations }), "ARGUMENT_INVALID");
  }
  await call(RecoveryService.method.rollbackFile, { path: "story", revision: 3n });
  assert.equal(await text("story"), "now a file");
});

test("extended attributes that the file system has no room for are refused as such", async () => {
  await write("attributes", "x");
  const setXattrs = { big: Buffer.alloc(60_000) };
  assert.equal(await refusal(files.setAttributes, { path: "attributes", setXattrs }), "LIMIT_EXCEEDED");
});

const messageOf = (name: string, requestId: string): Uint8Array => {
  const write = { path: name, data: Buffer.alloc(1_000, "x"), options: { requestId } };
  return toBinary(files.writeFiles.input, create(files.writeFiles.input, { write }));
};

/** Opens a stream of writes without ending it. */
function openStream() {
  const client = new grpc.Client(world.replica.address, grpc.credentials.createInsecure());
  const stream = client.makeBidiStreamRequest(
    `/${FileOpsService.typeName}/WriteFiles`,
    (message: Uint8Array) => Buffer.from(message),
    (message) => message,
  );
  stream.on("error", () => undefined);
  const send = (name: string, requestId: string) => stream.write(messageOf(name, requestId));
  const ended = new Promise<grpc.StatusObject>((resolve) => stream.on("status", resolve));
  return { client, stream, send, ended };
}

test("I14: streams of writes that are cancelled, idle or under way, leave no call behind", async () => {
  for (let round = 0; round < 4; round++) {
    const streams = Array.from({ length: 50 }, openStream);
    for (const [index, { stream, send }] of streams.entries()) {
      send(`cancelled/${index}`, `cancelled-${round}-${index}`);
      // Half of them wait for nothing then, the others are cancelled while they write.
      if (index % 2 === 0) await new Promise<void>((resolve) => stream.once("data", () => resolve()));
    }
    for (const { stream } of streams) stream.cancel();
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { client } of streams) client.close();
  }
  await write("after-all", "still served");
});

test("a stream of 1,000 writes is answered, each once", async () => {
  const requests = Array.from({ length: 1_000 }, (_, index) => ({
    write: { path: `thousand/${index % 50}`, data: bytes(`${index}`), options: { requestId: `thousand-${index}` } },
  }));
  const call = ask(files.writeFiles, ...requests);
  const { code, messages, message } = await world.raw.send(call, { deadlineMs: 100_000 });
  assert.equal(code, "OK", message);
  const answers = messages as MessageShape<typeof files.writeFiles.output>[];
  assert.equal(new Set(answers.map(({ requestId }) => requestId)).size, 1_000);
  assert.deepEqual([...new Set(answers.map(({ answer }) => answer.case))], ["result"]);
});

test("a request id that is in flight on its stream already ends the stream; what was sent before is answered", async () => {
  const write = (requestId: string) => ({ write: { path: "twice", data: bytes("x"), options: { requestId } } });
  const answer = await world.raw.send(ask(files.writeFiles, write("twice-1"), write("twice-2"), write("twice-2")));
  assert.deepEqual([answer.code, answer.fields], ["INVALID_ARGUMENT", ["write.options.request_id"]]);
  assert.equal(answer.messages.length, 2);
});

/** A stream of writes by bare HTTP/2: grpc-js takes answers into its memory, whether or not anybody reads them. */
function openUnread() {
  const session = http2.connect(`http://${world.replica.address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${FileOpsService.typeName}/WriteFiles`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  // Without a listener, all that comes would be thrown away.
  stream.on("response", () => undefined);
  const send = (name: string, requestId: string, whenTaken: () => void): void => {
    const message = messageOf(name, requestId);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]), whenTaken);
  };
  return { session, stream, send };
}

test("I14: a client that never reads its answers is not read from for ever", async () => {
  const { session, stream, send } = openUnread();
  stream.on("error", () => undefined);
  const total = 20_000;
  let taken = 0;
  const next = (): void => {
    if (taken < total)
      send(`unread/${taken % 50}`, `unread-${taken}`, () => {
        taken += 1;
        next();
      });
  };
  next();
  // Until nothing more is taken while others are served many times, one after the other.
  for (let before = -1; before < taken; ) {
    before = taken;
    for (let served = 0; served < 50; served++) await write("beside", `${served} after ${taken}`);
  }
  assert(taken > 0, "nothing was read");
  assert(taken < total, "all was read, though no answer was");
  const closed = once(stream, "close");
  stream.destroy();
  await closed;
  session.close();
  await write("beside", "still served");
});
