import type { TestContext } from "node:test";
import { type Core, type CoreOptions, World } from "../regress/core.js";
import { ForgetfulDisk } from "./copy.js";

/** A core on a disk that forgets, and those that find what a power cut left. */
export async function beforeCut(t: TestContext, options: CoreOptions = {}) {
  const world = await World.start(t);
  const disk = new ForgetfulDisk(world.root);
  world.cleanup.defer(() => disk.remove());
  const core = await world.core({ ...options, tamper: { ...disk.tamper, ...options.tamper } });
  await core.replay.runIfNeeded();
  disk.sync();
  const found = (root: string, more: CoreOptions = {}): Promise<Core> => world.on(root).core(more);
  return { world, disk, core, found };
}
