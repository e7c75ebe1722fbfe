import { readFile, realpath } from "node:fs/promises";
import { type Check, type Finding, fail, ok, warn } from "./check.js";

/** A line of /proc/self/mountinfo, see proc_pid_mountinfo(5). */
export interface Mount {
  readonly point: string;
  readonly type: string;
  readonly source: string;
  /** Of the mount and of the file system. */
  readonly options: readonly string[];
}

const IN_MEMORY = new Set(["tmpfs", "ramfs"]);
const TRIED = new Set(["ext4", "xfs", "btrfs", "nfs4", "fuse.glusterfs"]);
/** Options that break promises, and how. */
const RISKS: readonly (readonly [RegExp, string])[] = [
  [/^soft$/, "soft: a call may fail although the server carries it out later"],
  [/^softerr$/, "softerr: a call may fail although the server carries it out later"],
  [/^nolock$/, "nolock: locks of other programs do not reach other hosts"],
  [/^local_lock=(?!none$)/, "local_lock: locks of other programs do not reach other hosts"],
  [/^nocto$/, "nocto: other hosts' changes show late"],
  [/^data=writeback$/, "data=writeback: after a power cut files may hold old blocks"],
  [/^(nobarrier|barrier=0)$/, "nobarrier: synced data may be lost in a power cut"],
  [/^nojournal_checksum$/, "nojournal_checksum: a damaged file system journal is replayed as it is"],
];

export function mountCheck(read: () => Promise<string> = () => readFile("/proc/self/mountinfo", "utf8")): Check {
  return {
    name: "mount",
    async run({ volume }) {
      const mount = mountOf(await realpath(volume), parseMounts(await read()));
      if (mount === undefined) return warn("not found in /proc/self/mountinfo", "What keeps the files is not known.");
      return judge(mount);
    },
  };
}

/** What a mount means. */
export function judge({ point, type, source, options }: Mount): Finding {
  const seen = `${type} from ${source} at ${point} (${options.join(",")})`;
  if (options.includes("ro")) return fail(seen, "The volume is read-only: the service can read and nothing else.");
  if (IN_MEMORY.has(type)) {
    return warn(seen, "It lives in memory: fine for a trial, but nothing survives a restart of this host (I1).");
  }
  const risks = RISKS.filter(([pattern]) => options.some((option) => pattern.test(option))).map(([, risk]) => risk);
  if (risks.length > 0) return warn(seen, `Change the mount options: ${risks.join("; ")}.`);
  if (/^nfs/.test(type)) {
    const old = options.some((option) => /^vers=[23]/.test(option)) ? " and mount it with vers=4.1 or newer" : "";
    return warn(
      seen,
      `This host cannot see whether the server exports it async, which loses synced data: check that it says sync${old}.`,
    );
  }
  if (type === "overlay")
    return warn(seen, "An overlay copies files on their first change; use a directory of a real file system.");
  if (/^(9p|virtiofs|vboxsf|cifs|smb3|vfat|exfat|ntfs3?|fuse)/.test(type) && !TRIED.has(type)) {
    return warn(
      seen,
      "The commit protocol was not tried on this type; trust the checks here and the crash tests, not the name.",
    );
  }
  return ok(seen, TRIED.has(type) ? "The commit protocol was tried on this type." : "Nothing speaks against it.");
}

export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    // Optional fields end with a lone hyphen.
    const rest = fields.indexOf("-", 6);
    if (rest < 0) continue;
    const [type, source, superOptions] = fields.slice(rest + 1);
    const options = [...(fields[5] ?? "").split(","), ...(superOptions ?? "").split(",")].filter((name) => name !== "");
    mounts.push({
      point: unescaped(fields[4] ?? ""),
      type: type ?? "",
      source: unescaped(source ?? ""),
      options: [...new Set(options)],
    });
  }
  return mounts;
}

/** The mount that `dir` is in: the longest point; of those mounted over each other the last. */
export function mountOf(dir: string, mounts: readonly Mount[]): Mount | undefined {
  const around = mounts.filter(({ point }) => dir === point || dir.startsWith(point === "/" ? "/" : `${point}/`));
  return around.reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.point.length >= best.point.length ? mount : best),
    undefined,
  );
}

/** Spaces and the like come as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
