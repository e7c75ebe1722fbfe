import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { DescMethod } from "@bufbuild/protobuf";
import { AdminService } from "../../services/gen/safefile/v1/admin_service_pb.js";
import { FileOpsService } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { LockService } from "../../services/gen/safefile/v1/lock_service_pb.js";
import { RecoveryService } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import type { Answer } from "./raw.js";
import { startWorld, stateOf, type World } from "./world.js";

const root = new URL("../../../", import.meta.url);
const SERVICES = [FileOpsService, RecoveryService, LockService, AdminService];
const METHODS: readonly DescMethod[] = SERVICES.flatMap((service): readonly DescMethod[] => service.methods);

/** The RPCs that a file names line by line as `safefile.v1.Service.Method`. */
const implemented = new Set(
  readFileSync(new URL("proto/implemented.txt", root), "utf8")
    .split("\n")
    .filter((line) => METHODS.some((method) => line === fullName(method))),
);

const cleanup = new Cleanup();
let world: World;
const answers = new Map<string, Answer>();

before(async () => {
  world = await startWorld(cleanup);
  const before = await stateOf(world.volume);
  // An empty message is a request that each can read and none can do harm with.
  for (const method of METHODS) {
    // A watch that works has no end of its own.
    const limit = method.name.startsWith("Watch") ? { deadlineMs: 2_000 } : {};
    answers.set(fullName(method), await world.raw.send({ method, frames: [new Uint8Array()] }, limit));
  }
  assert.deepEqual(await stateOf(world.volume), before);
});
after(() => cleanup.end());

function fullName(method: DescMethod): string {
  return `${method.parent.typeName}.${method.name}`;
}

test("the list of what is implemented names RPCs of all the right services, and not all of them", () => {
  assert.ok(implemented.has("safefile.v1.FileOpsService.WriteFile"));
  assert.ok(implemented.size < METHODS.length);
});

for (const method of METHODS) {
  const name = fullName(method);
  if (implemented.has(name)) {
    test(`${method.name} is implemented`, () => {
      const { code, message } = answers.get(name)!;
      assert.ok(!["UNIMPLEMENTED", "INTERNAL", "UNKNOWN"].includes(code), `${code}: ${message}`);
    });
  } else {
    test(`${method.name} says that it is not built yet`, () => {
      const { code, info, message, messages } = answers.get(name)!;
      assert.deepEqual(
        { code, reason: info?.reason, domain: info?.domain, outcome: info?.metadata.outcome, messages },
        {
          code: "UNIMPLEMENTED",
          reason: "NOT_IMPLEMENTED",
          domain: "safefile",
          outcome: "NOT_COMMITTED",
          messages: [],
        },
      );
      assert.ok(message.includes(method.name), message);
    });
  }
}

/** RPC → "works" or "later", out of the table with the columns `RPC` and `status`. */
function statusTable(readme: string): Map<string, string> {
  const rows = readme.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const head = rows.findIndex(([, first, second]) => first === "RPC" && second === "status");
  assert.ok(head >= 0, "README.md has no table of RPCs: a row `| RPC | status |`, then one row for each RPC");
  const statuses = new Map<string, string>();
  for (const [, names, status = ""] of rows.slice(head + 2).slice(0, lengthOfTable(rows.slice(head + 2)))) {
    assert.match(status, /^(works|later)$/, `README.md: the status of ${names} must be works or later`);
    for (const [, name = ""] of names!.matchAll(/`([A-Za-z.]+)`/g)) {
      assert.ok(!statuses.has(name), `README.md has ${name} twice in its table of RPCs`);
      statuses.set(name, status);
    }
  }
  return statuses;
}

function lengthOfTable(rows: readonly string[][]): number {
  const end = rows.findIndex((cells) => cells.length < 4);
  return end < 0 ? rows.length : end;
}

test("the README's table of RPCs says what the server answers", () => {
  const readme = fileURLToPath(new URL("README.md", root));
  assert.ok(existsSync(readme), "there is no README.md, so nobody is told which RPCs work");
  const said = statusTable(readFileSync(readme, "utf8"));
  const found = METHODS.map((method) => {
    const { code } = answers.get(fullName(method))!;
    return [method.name, code === "UNIMPLEMENTED" ? "later" : "works"] as const;
  });
  assert.deepEqual(Object.fromEntries([...said].sort()), Object.fromEntries([...found].sort()));
});
