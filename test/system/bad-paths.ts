import { ACTIONS, type BadCase, file, PATHS } from "./bad-case.js";
import { ask } from "./raw.js";

const nfd = "cafe\u0301.txt";

/** No place on any volume has these names, so no RPC may even look. */
const NAMES: readonly (readonly [what: string, path: string])[] = [
  ["empty", ""],
  ["absolute", "/a.txt"],
  ["absolute, to a real file", "/etc/passwd"],
  ["..", ".."],
  [".. that leaves the root", "../a.txt"],
  [".. that stays inside", "dir/../a.txt"],
  [".. at the end", "dir/.."],
  [".", "."],
  [". in front", "./a.txt"],
  [". in the middle", "dir/./inner.txt"],
  ["//", "dir//inner.txt"],
  ["a slash at the end", "dir/"],
  ["a slash at the end of a file", "a.txt/"],
  ["another spelling than NFC", nfd],
  ["another spelling than NFC in a directory", `${nfd}/a.txt`],
  [".safefile", ".safefile"],
  [".safefile/format", ".safefile/format"],
  [".safefile in other letters, further down", "x/.SAFEFILE/y"],
  [".safefile with more behind it", ".safefile-backup/y"],
  ["a zero byte", "a\0.txt"],
  ["a line feed", "a\n.txt"],
  ["an escape", "a\u001b[31m.txt"],
  ["a delete character", "a\u007f.txt"],
  ["a right-to-left override", "a\u202etxt.exe"],
  ["a left-to-right isolate", "a\u2066.txt"],
  ["a zero-width space", "a\u200b.txt"],
  ["a zero-width joiner", "a\u200d.txt"],
  ["a byte order mark", "\ufeffa.txt"],
  ["the replacement character", "a\ufffd.txt"],
  ["a component of 256 bytes", "x".repeat(256)],
  ["a component of 128 letters in 256 bytes", "é".repeat(128)],
  ["more than 2,048 bytes", Array(21).fill("x".repeat(100)).join("/")],
  ["65 components", Array(65).fill("d").join("/")],
];

/** Two names that look alike on every screen and in every log. */
const INVISIBLE: readonly (readonly [what: string, path: string])[] = [
  ["a C1 control", "a\u0085.txt"],
  ["an Arabic letter mark", "a\u061c.txt"],
  ["a line separator", "a\u2028.txt"],
  ["a soft hyphen", "a\u00ad.txt"],
];

const refusedEverywhere = (names: typeof NAMES): BadCase[] =>
  PATHS.flatMap(({ rpc, field, root, call }) =>
    names
      .filter(([, path]) => !(root && path === ""))
      .map(([what, path]) => ({
        rpc,
        what,
        call: call(path),
        code: "INVALID_ARGUMENT",
        reason: "PATH_INVALID",
        field,
      })),
  );

export const BAD_NAMES: readonly BadCase[] = refusedEverywhere(NAMES);
export const INVISIBLE_NAMES: readonly BadCase[] = refusedEverywhere(INVISIBLE);

/** What `fixture.ts` puts on the volume and no RPC may follow, open or replace. */
export const PLACES: readonly (readonly [what: string, path: string])[] = [
  ["a symlink to a file", "link-file"],
  ["a symlink to a file outside", "link-out"],
  ["a symlink to nothing", "link-nowhere"],
  ["a symlink to a directory", "link-dir"],
  ["a file behind a symlinked directory", "link-dir/inner.txt"],
  ["a file behind a symlinked directory outside", "link-out-dir/secret.txt"],
  ["nothing behind a symlinked directory outside", "link-out-dir/new.txt"],
  ["a directory behind a symlink outside", "link-out-dir/deep/new.txt"],
  ["a file behind a symlink to /", "link-root/etc/passwd"],
  ["a FIFO", "fifo"],
  ["a socket", "socket"],
  ["something behind a file", "a.txt/below"],
  ["something behind a FIFO", "fifo/below"],
];

/** Managed once; then somebody swapped it for something else. */
export const SWAPPED: readonly (readonly [what: string, path: string])[] = [
  ["a file that became a symlink to the outside", "was-file.txt"],
  ["a file whose directory became a symlink to the outside", "was-dir/secret.txt"],
  ["a file that became a FIFO", "was-fifo"],
];

const LIVE = [
  "StatFile",
  "ListFiles",
  "ReadFile",
  "WriteFile",
  "WriteFile of more than a record",
  "UploadFile",
  "DeleteFile",
  "DeleteFile of a tree",
  "AppendFile",
  "PatchFile",
  "SetAttributes",
  "MakeDirectory",
  "MoveFile",
  "MoveFile to a target",
  "CopyFile",
  "CopyFile to a target",
  ...ACTIONS.map(({ case: kind }) => `ExecuteTransaction, ${kind}`),
  "ExecuteTransaction, move to a target",
  "ExecuteTransaction, copy to a target",
];
/** What may do something to a directory. */
const FOR_DIRECTORIES = ["StatFile", "ListFiles", "DeleteFile", "DeleteFile of a tree", "MakeDirectory", "MoveFile"];

const invalid = { code: "INVALID_ARGUMENT", reason: "PATH_INVALID", field: "path" };

export function badPlaces(more: readonly (readonly [what: string, path: string])[]): BadCase[] {
  const cases: BadCase[] = [];
  for (const { rpc, call } of PATHS) {
    const isLive = LIVE.includes(rpc);
    for (const [what, path] of [...PLACES, ...more]) {
      if (isLive) cases.push({ rpc, what, call: call(path), ...invalid });
      // Looks for a file that has no history yet, since nothing there ever had any.
      else if (rpc === "ListRevisions") cases.push({ rpc, what, call: call(path), ...invalid });
      // These look at history only.
      // A watch may begin before its path is there, and looks at nothing outside.
      else if (!rpc.startsWith("StartRestore") && rpc !== "WatchFiles" && !rpc.endsWith("only a look"))
        cases.push({ rpc, what, call: call(path), code: "NOT_FOUND", reason: "BACKUP_VERSION" });
    }
    if (isLive || rpc === "RollbackFile")
      for (const [what, path] of SWAPPED) cases.push({ rpc, what, call: call(path), ...invalid });
    if (rpc === "ListRevisions" || (isLive && !FOR_DIRECTORIES.includes(rpc)))
      cases.push({ rpc, what: "a directory where a file is expected", call: call("dir"), ...invalid });
  }
  cases.push(
    {
      rpc: "ListFiles",
      what: "a file where a directory is expected",
      call: ask(file.listFiles, { path: "a.txt" }),
      ...invalid,
    },
    {
      rpc: "DeleteFile",
      what: "a directory without recursive",
      call: ask(file.deleteFile, { path: "dir" }),
      ...invalid,
    },
  );
  return cases;
}
