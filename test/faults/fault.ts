/** What happens at the n-th call of an operation to the file system. */
export type Fault = { readonly at: number } & (
  | { readonly do: "count" }
  | { readonly do: "kill"; readonly when: "before" | "after" }
  | {
      readonly do: "fail";
      readonly code: Code;
      /** Of calls of this name only. */
      readonly only?: string;
      /** A reply that was lost: the call has done its work all the same. */
      readonly carriedOut: boolean;
      /** All later calls fail, too, as far as the error can be theirs. */
      readonly lasting: boolean;
    }
);

export type Code = "EIO" | "ESTALE" | "EMFILE" | "ENOSPC" | "EDQUOT" | "EROFS" | "ENOENT" | "EEXIST";

/** One call to the file system, as the process that made it saw it. */
export interface Call {
  readonly name: string;
  /** Below the volume's root. */
  readonly at: string;
  /** Whether it changes the volume, or makes a change durable. */
  readonly changes: boolean;
  /** Whether it is about a descriptor that was opened for writing. */
  readonly writable: boolean;
}

export interface State {
  readonly calls: readonly Call[];
  /** How often the fault happened. */
  readonly hits: number;
}

const ROOM = ["open", "write", "writev", "mkdir", "link", "rename", "copyFile"];
const FLUSHES = ["fdatasync", "fsync", "close"];
/** What a repeated request is answered when the first one was carried out and its reply was lost. */
const REPEATED: Readonly<Record<string, Code>> = {
  rename: "ENOENT",
  link: "EEXIST",
  unlink: "ENOENT",
  mkdir: "EEXIST",
  rmdir: "ENOENT",
  open: "EEXIST",
};

/** Whether a file system may do `fault` to `call`. */
export function suits(fault: Fault, call: Call): boolean {
  if (fault.do === "count") return false;
  if (fault.do === "kill") return fault.when === "before" || call.changes;
  const { code, carriedOut, only } = fault;
  if (only && only !== call.name) return false;
  if (carriedOut && !call.changes) return false;
  if (FLUSHES.includes(call.name)) return code === "EIO" && (call.name !== "close" || call.writable);
  switch (code) {
    case "EIO":
    case "ESTALE":
      return true;
    case "EMFILE":
      return ["open", "readdir", "copyFile"].includes(call.name);
    case "ENOSPC":
    case "EDQUOT":
      return call.changes && ROOM.includes(call.name);
    case "EROFS":
      return call.changes;
    case "ENOENT":
    case "EEXIST":
      return carriedOut && call.changes && REPEATED[call.name] === code;
  }
}

/** After this one nothing more may be acknowledged (I10). */
export const endsIncarnation = (fault: Fault, call: Call): boolean =>
  fault.do === "fail" && (FLUSHES.includes(call.name) || isRecord(call)) && suits(fault, call);

/** Records are written to room that was made before: whatever fails there may have left some of them behind. */
const isRecord = ({ name, at }: Call): boolean => name === "writev" && at.includes("/journal/");

const ERRORS: readonly Omit<Extract<Fault, { do: "fail" }>, "at" | "do">[] = [
  ...(["EIO", "ESTALE", "EMFILE", "ENOSPC", "EDQUOT", "EROFS"] as const).flatMap((code) =>
    [false, true].map((lasting) => ({ code, lasting, carriedOut: false })),
  ),
  ...(["EIO", "ENOENT", "EEXIST"] as const).map((code) => ({ code, lasting: false, carriedOut: true })),
];

/** Every way to fail each of `calls`. */
export const errorsAt = (calls: readonly Call[]): Fault[] =>
  calls.flatMap((call, index) =>
    ERRORS.map((error): Fault => ({ do: "fail", at: index + 1, ...error })).filter((fault) => suits(fault, call)),
  );

/** Every way to be killed at them. After a call that changes nothing is the same as before the next one. */
export const killsAt = (calls: readonly Call[]): Fault[] =>
  calls.flatMap((call, index) =>
    (["before", "after"] as const)
      .map((when): Fault => ({ do: "kill", at: index + 1, when }))
      .filter((fault) => suits(fault, call)),
  );

export function describe(fault: Fault, calls: readonly Call[]): string {
  const call = calls[fault.at - 1];
  const about = `call ${fault.at} (${call?.name} ${call?.at.replaceAll(/[0-9A-HJKMNP-TV-Z]{26}/g, "#")})`;
  if (fault.do === "kill") return `killed ${fault.when} ${about}`;
  if (fault.do === "count") return "undisturbed";
  return `${fault.code}${fault.lasting ? " from" : " at"} ${about}${fault.carriedOut ? ", carried out" : ""}`;
}

/** `all`, or names of calls with commas between: then only their points are run, all of them. */
const POINTS = process.env.SAFEFILE_TEST_POINTS;

/** Whether all errors are to be run, and not only a sample. */
export const isEverything = POINTS !== undefined;

/** Whether `fault` is one of those that SAFEFILE_TEST_POINTS asks for. */
export const isWanted = (fault: Fault, calls: readonly Call[]): boolean =>
  POINTS === undefined || POINTS === "all" || POINTS.split(",").includes(calls[fault.at - 1]?.name ?? "");
