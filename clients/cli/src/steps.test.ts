import assert from "node:assert/strict";
import test from "node:test";
import { CliError, EXIT } from "./failure.js";
import { readEdits, readSteps } from "./steps.js";

const NOW = new Date("2026-05-04T12:00:00Z");

test("steps are read as the client takes them; a path is canonical, content comes from where it is said", async () => {
  const document = [
    { action: "write", path: "./a/", base64: "/wA=", mode: "0600", etag: "e" },
    { action: "attributes", path: "b", modifiedTime: "10m", setXattrs: { one: "1", two: { base64: "/w==" } } },
    { action: "move", path: "c", target: "/d", targetPrecondition: { ifRevision: 0 } },
  ];
  assert.deepEqual(await readSteps(document, ".", NOW), [
    { path: "a", etag: "e", action: "write", data: Buffer.from([255, 0]), mode: 0o600 },
    {
      path: "b",
      action: "attributes",
      modifiedTime: new Date("2026-05-04T11:50:00Z"),
      setXattrs: { one: Buffer.from("1"), two: Buffer.from([255]) },
    },
    { path: "c", action: "move", target: "d", overwrite: false, targetPrecondition: { ifRevision: 0 } },
  ]);
  assert.deepEqual(readEdits([{ offset: 3 }], "edits"), [{ offset: 3, length: 0 }]);
});

test("a document that is not understood in full is refused, with the place", async () => {
  for (const [document, says] of [
    [{}, /the transaction must be a list/],
    [[1], /steps\[0\] must be an object/],
    [[{ action: "wirte", path: "a" }], /steps\[0\]\.action "wirte" is not one of the actions/],
    [[{ action: "remove" }], /steps\[0\]\.path is missing/],
    [[{ action: "remove", path: "a", ifRevison: 1 }], /steps\[0\]\.ifRevison is not known here/],
    [[{ action: "remove", path: "a", ifRevision: -1 }], /steps\[0\]\.ifRevision must be a whole number/],
    [[{ action: "write", path: "a" }], /needs its content as one of/],
    [[{ action: "write", path: "a", text: "x", file: "y" }], /needs its content as one of/],
    [[{ action: "write", path: "a", base64: "%" }], /steps\[0\]\.base64 is not base64/],
    [[{ action: "write", path: "a", text: "x", mode: 420 }], /mode must be octal digits/],
    [[{ action: "patch", path: "a", edits: [{ length: 1 }] }], /steps\[0\]\.edits\[0\]\.offset is missing/],
    [[{ action: "attributes", path: "a", modifiedTime: "soon" }], /modifiedTime is no time/],
    [[{ action: "attributes", path: "a", setXattrs: { x: 1 } }], /setXattrs\.x must be an object/],
    [[{ action: "write", path: "a", text: "x", base64: "" }], /has both "text" and "base64"/],
    [[{ action: "copy", path: "a", target: "" }], /names no file/],
  ] as const) {
    await assert.rejects(readSteps(document, ".", NOW), (error) => {
      assert.ok(error instanceof CliError && error.exitCode === EXIT.usage, String(error));
      assert.match(error.message, says);
      return true;
    });
  }
});
