/** Tools that know no stubs: what they need, they ask the server. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld, type World } from "../system/world.js";

const BUF = fileURLToPath(new URL("../../../node_modules/.bin/buf", import.meta.url));

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

async function curl(path: string, ...args: string[]): Promise<string> {
  const url = `http://${world.replica.address}${path}`;
  const { stdout } = await promisify(execFile)(BUF, [
    "curl",
    "--protocol",
    "grpc",
    "--http2-prior-knowledge",
    ...args,
    url,
  ]);
  return stdout;
}

test("buf curl finds services and methods by reflection", async () => {
  const services = (await curl("", "--list-services")).trim().split("\n");
  for (const name of ["AdminService", "FileOpsService", "LockService", "RecoveryService"])
    assert.ok(services.includes(`safefile.v1.${name}`), services.join());
  assert.match(await curl("", "--list-methods"), /safefile\.v1\.FileOpsService\/WriteFile/);
});

test("buf curl calls without any stub", async () => {
  const request = JSON.stringify({ path: "a", data: Buffer.from("hello\n").toString("base64") });
  const written = JSON.parse(await curl("/safefile.v1.FileOpsService/WriteFile", "--data", request));
  assert.equal(written.result.revision.revision, "1");
  const listed = JSON.parse(await curl("/safefile.v1.RecoveryService/ListRevisions", "--data", '{"path":"a"}'));
  assert.equal(listed.revisions[0].kind, "REVISION_KIND_WRITE");
});

test("buf curl shows an error with its reason", async () => {
  const refused = curl("/safefile.v1.FileOpsService/StatFile", "--data", '{"path":"missing"}');
  await assert.rejects(refused, (error: Error & { stderr: string }) => {
    const { code, message, details } = JSON.parse(error.stderr);
    assert.equal(code, "not_found");
    assert.match(message, /missing/);
    const info = details.find(({ type }: { type: string }) => type === "google.rpc.ErrorInfo");
    assert.match(Buffer.from(info.value, "base64").toString(), /PATH_NOT_FOUND/);
    return true;
  });
});
