import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { file } from "./bad-case.js";
import { ask } from "./raw.js";
import type { World } from "./world.js";

/** Only root may make a device, and not in every sandbox. */
export function devicesCanBeMade(directory: string): boolean {
  const probe = path.join(directory, `safefile-device-${process.pid}`);
  try {
    execFileSync("mknod", [probe, "c", "1", "3"], { stdio: "ignore" });
    execFileSync("rm", [probe]);
    return true;
  } catch {
    return false;
  }
}

/** Puts good files, and traps of all kinds, on the volume. Returns a directory outside that the traps lead to. */
export async function setTraps({ cleanup, volume, client, raw }: World, withDevice: boolean): Promise<string> {
  const at = (name: string) => path.join(volume, name);
  const outside = await mkdtemp(path.join(tmpdir(), "safefile-outside-"));
  cleanup.defer(() => rm(outside, { recursive: true, force: true }));
  await writeFile(path.join(outside, "secret.txt"), "nobody's business");

  await client.write("a.txt", Buffer.from("one"));
  await client.write("a.txt", Buffer.from("two"));
  await client.write("dir/inner.txt", Buffer.from("inner"));
  await client.write("gone.txt", Buffer.from("gone"));
  await client.remove("gone.txt");
  const used = { path: "used.txt", data: Buffer.from("first"), options: { requestId: "used-before" } };
  await raw.send(ask(file.writeFile, used));

  await symlink("a.txt", at("link-file"));
  await symlink(path.join(outside, "secret.txt"), at("link-out"));
  await symlink("nowhere", at("link-nowhere"));
  await symlink("dir", at("link-dir"));
  await symlink(outside, at("link-out-dir"));
  await symlink("/", at("link-root"));
  execFileSync("mkfifo", [at("fifo")]);
  if (withDevice) execFileSync("mknod", [at("device"), "c", "1", "3"]);
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(at("socket"), resolve));
  cleanup.defer(() => server.close());

  for (const name of ["was-file.txt", "was-dir/secret.txt", "was-fifo"]) await client.write(name, Buffer.from("mine"));
  await rm(at("was-file.txt"));
  await symlink(path.join(outside, "secret.txt"), at("was-file.txt"));
  await rm(at("was-dir"), { recursive: true });
  await symlink(outside, at("was-dir"));
  await rm(at("was-fifo"));
  execFileSync("mkfifo", [at("was-fifo")]);
  await mkdir(at("empty-dir"));
  return outside;
}
