import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

/** Where node:crypto takes randomness from while a simulation runs; undefined for the real one. */
let source: (() => number) | undefined;

const real = { randomBytes: crypto.randomBytes, randomUUID: crypto.randomUUID };

const bytes = (random: () => number, count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));

// Once for the process: `import { randomBytes }` elsewhere sees these from now on.
Object.assign(crypto, {
  randomBytes: (count: number) => (source ? bytes(source, count) : real.randomBytes(count)),
  randomUUID: () => {
    if (!source) return real.randomUUID();
    const hex = bytes(source, 16).toString("hex");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  },
});
syncBuiltinESMExports();

/** Lets node:crypto draw from `random`; undefined gives it back its own. */
export function drawFrom(random: (() => number) | undefined): void {
  source = random;
}
