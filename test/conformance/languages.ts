import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A client: what runs it, and whether this machine can. */
export interface Language {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
  readonly cwd: string;
  readonly driver: readonly string[];
  /** Makes driver and example. */
  readonly build: readonly string[] | undefined;
  readonly test: readonly string[] | undefined;
  readonly check: readonly string[] | undefined;
  readonly example: readonly string[] | undefined;
}

/** Each language's folder has one entrance, `dev.sh`. */
function other(folder: string, name = folder, driver = "driver"): Language {
  const cwd = path.join(ROOT, "clients", folder);
  const script = path.join(cwd, "dev.sh");
  const dev = (verb: string) => ["bash", script, verb];
  const { status, stdout } = spawnSync("bash", [script, "toolchain"], { encoding: "utf8" });
  return {
    name,
    missing: status === 0 ? undefined : stdout.trim() || "its toolchain is not here",
    cwd,
    driver: dev(driver),
    build: dev("build"),
    test: name === folder ? dev("test") : undefined,
    check: name === folder ? dev("check") : undefined,
    example: name === folder ? dev("example") : undefined,
  };
}

/** Its driver and example are compiled with everything else. */
function typescript(): Language {
  const built = (file: string) => [process.execPath, fileURLToPath(new URL(file, import.meta.url))];
  return {
    name: "typescript",
    missing: undefined,
    cwd: ROOT,
    driver: built("./typescript/main.js"),
    build: undefined,
    test: undefined,
    check: undefined,
    example: built("../../clients/typescript/example/main.js"),
  };
}

export const ALL = ["typescript", "go", "python", "python-aio", "java", "rust"] as const;

/** Those named in $SAFEFILE_TEST_LANGUAGES, all unless given. */
export function languages(): readonly Language[] {
  const wanted = process.env.SAFEFILE_TEST_LANGUAGES?.split(",");
  return ALL.filter((name) => wanted === undefined || wanted.includes(name)).map((name) => {
    if (name === "typescript") return typescript();
    return name === "python-aio" ? other("python", name, "driver-aio") : other(name);
  });
}

/** CI sets it: then a toolchain that is missing is a failure. */
export const ALL_REQUIRED = process.env.SAFEFILE_TEST_LANGUAGES_REQUIRED === "1";
