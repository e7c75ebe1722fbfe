import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { PosixVolume } from "../../services/volume/posix.js";
import { VolumeRefusedError } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

test("I12, I13: a volume that takes .SAFEFILE for .safefile is refused (was: served, with .\u017fafefile as a way to the journals)", async (t) => {
  const root = await tempVolume(Cleanup.of(t));
  // What a volume that folds case shows, as far as one name tells.
  await mkdir(path.join(root, ".SAFEFILE"));
  await assert.rejects(PosixVolume.open(root, "local", assert.fail), VolumeRefusedError);
});
