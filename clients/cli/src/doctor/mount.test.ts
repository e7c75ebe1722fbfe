import assert from "node:assert/strict";
import test from "node:test";
import { judge, type Mount, mountOf, parseMounts } from "./mount.js";

const INFO = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
30 22 0:25 / /mnt rw,nosuid - tmpfs tmpfs rw,size=1k
31 30 0:26 /export /mnt/with\\040space rw,relatime shared:5 master:2 - nfs4 host:/export rw,vers=4.2,hard,local_lock=none
32 30 0:27 / /mnt/with\\040space ro - xfs /dev/vdb rw
broken line
`;

test("the mount of a directory is the longest point above it, and the last of several", () => {
  const mounts = parseMounts(INFO);
  assert.equal(mounts.length, 4);
  assert.equal(mountOf("/home/a", mounts)?.type, "ext4");
  assert.equal(mountOf("/mnt", mounts)?.type, "tmpfs");
  assert.equal(mountOf("/mntx", mounts)?.type, "ext4");
  assert.equal(mountOf("/mnt/with space/a", mounts)?.type, "xfs");
  assert.deepEqual(mounts[2], {
    point: "/mnt/with space",
    type: "nfs4",
    source: "host:/export",
    options: ["rw", "relatime", "vers=4.2", "hard", "local_lock=none"],
  });
});

for (const [type, options, result, says] of [
  ["ext4", ["rw", "relatime"], "ok", /was tried/],
  ["zfs", ["rw"], "ok", /Nothing speaks against/],
  ["ext4", ["ro"], "fail", /read-only/],
  ["ext4", ["rw", "data=writeback"], "warn", /data=writeback/],
  ["tmpfs", ["rw"], "warn", /memory/],
  ["nfs4", ["rw", "hard", "local_lock=none"], "warn", /async/],
  ["nfs", ["rw", "vers=3"], "warn", /4\.1/],
  ["nfs4", ["rw", "soft"], "warn", /soft/],
  ["nfs4", ["rw", "nolock"], "warn", /nolock/],
  ["nfs4", ["rw", "local_lock=all"], "warn", /local_lock/],
  ["nfs4", ["rw", "nocto"], "warn", /nocto/],
  ["overlay", ["rw"], "warn", /overlay/],
  ["fuse.sshfs", ["rw"], "warn", /not tried/],
] as const) {
  test(`${type} with ${options.join(",")} is ${result}`, () => {
    const mount: Mount = { point: "/v", type, source: "s", options };
    const finding = judge(mount);
    assert.equal(finding.result, result);
    assert.match(finding.follows, says);
  });
}
