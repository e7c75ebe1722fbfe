import assert from "node:assert/strict";
import { test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { birthName, bornName } from "../../services/protocol/names.js";
import { type Tamper, World } from "./core.js";

/** Calls of a survivor before which the paused maker may wake up. */
const WAKE_UPS = ["link", "rename", "unlink", "removeDirectory"] as const;

test("I7: a baton whose maker is paused while a survivor cleans up can still be born (was: the path was lost for ever)", async (t) => {
  const world = await World.start(t);
  for (const call of WAKE_UPS) {
    const target = `p-${call}`;
    const hash = pathHash(target as FilePath);
    const paused = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    const renaming = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    // Paused between making the single-use file and linking it to `.born`, and again before that one is renamed.
    const maker = await world.core({
      tamper: {
        link: async (real, source, target) => {
          if (target.at.endsWith(".born")) {
            paused.resolve();
            await woken.promise;
          }
          return real.link(source, target);
        },
        rename: async (real, source, target) => {
          if (source.at.includes("/births/")) {
            renaming.resolve();
            await over.promise;
          }
          return real.rename(source, target);
        },
      },
    });
    const operation = maker.incarnation.nextOperation();
    // What becomes of the maker does not matter: it was declared dead.
    const birth = maker.batons.beBorn(operation, hash).catch(() => undefined);
    await paused.promise;
    const before = async (at: string): Promise<void> => {
      if (!at.includes("births/")) return;
      woken.resolve();
      await Promise.race([renaming.promise, birth]);
    };
    const tamper: Tamper = {
      [call]: async (real: { [K in typeof call]: (...names: { at: string }[]) => Promise<void> }, ...names: []) => {
        await before(names.map(({ at }: { at: string }) => at).join(" "));
        return real[call](...names);
      },
    };
    const survivor = await world.core({ tamper });
    await survivor.survivor.end(maker.incarnation.id);
    woken.resolve();
    over.resolve();
    await birth;
    const next = await world.core();
    await next.write(target, "born");
    assert.equal((await next.files.stat(target as FilePath)).revision, 1);
    assert.equal(await next.volume.stat(next.volume.control(birthName(operation, hash))), undefined);
    assert.notEqual(await next.volume.stat(next.volume.control(bornName(hash))), undefined);
  }
});
