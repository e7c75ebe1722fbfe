import { SafefileClient } from "@safefile/client";

const c = new SafefileClient({ address: "127.0.0.1:7734", retry: { attemptsMax: 1 } });
const sizes = [200, 4096, 30000, 100000];
for (let i = 0; i < 40; i++) await c.write("x/f.dat", Buffer.alloc(sizes[i % 4], i));
let n = 0;
const t = performance.now();
try {
  for (let k = 0; k < 450; k++) {
    for (let r = 1; r <= 40; r++) {
      await c.readRevision("x/f.dat", r);
      n++;
    }
  }
} catch (e) {
  console.log("failed after", n, e.message);
}
console.log(n, "reads", ((performance.now() - t) / 1000).toFixed(1), "s");
c.close();
