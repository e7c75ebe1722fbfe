import assert from "node:assert/strict";
import { test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { type Core, World } from "./core.js";

test("I7: a path whose first writer died before it had written the birth's name can be written (was: never again)", async (t) => {
  const world = await World.start(t);
  const path = "f" as FilePath;
  const died = Promise.withResolvers<void>();
  const dead: Core = await world.core({
    tamper: {
      createWith: async (real, name, content, sync) => {
        if (!name.at.includes("/births/")) return real.createWith(name, content, sync);
        await (await real.create(name))[Symbol.asyncDispose]();
        died.resolve();
        return new Promise<void>(() => undefined); // here the process ends
      },
    },
  });
  void dead.batons.beBorn(dead.incarnation.nextOperation(), pathHash(path)).catch(() => undefined);
  await died.promise;
  const survivor = await world.core();
  await survivor.survivor.end(dead.incarnation.id);
  const { record } = await survivor.write(path, "one");
  assert.equal(record?.changes[0]?.revision, 1);
});
