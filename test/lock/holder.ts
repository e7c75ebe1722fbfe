// Holds the path that it is told, until it is lost: node holder.js VOLUME LEASE_MS PATH URL…

import { Leases } from "../../services/lock/leases.js";
import { reasonOf } from "./reason.js";
import { LIMITS } from "./servers.js";
import { wish } from "./wish.js";

const [volume = "", leaseMs = "", path = "", ...urls] = process.argv.slice(2);
const safety = { isNothingGranted: async () => false, restore: async () => undefined };
const leases = new Leases(urls, volume, { ...LIMITS, leaseMs: Number(leaseMs) }, safety, () => undefined);
await leases.voting();
const hold = await leases.acquire(wish(path));
process.stdout.write("holds\n");
// It looks all the time, so that it is stopped between two looks, with no timer in between that could tell it first.
const BUSY_MS = 100;
let atMs = performance.now();
const look = (): void => {
  const fromMs = atMs;
  while (atMs - fromMs < BUSY_MS) {
    const nowMs = performance.now();
    try {
      hold.assertHeld();
      if (nowMs - atMs > Number(leaseMs)) process.stdout.write("still holds\n");
    } catch (error) {
      process.stdout.write(`lost ${reasonOf(error)} ${reasonOf(hold.lost.reason)}\n`);
      process.exit(0);
    }
    atMs = nowMs;
  }
  setTimeout(look, 1);
};
look();
