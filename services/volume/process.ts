import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** What tells one process from any other, on this host and others. */
export interface ProcessIdentity {
  readonly host: string;
  readonly bootId: string;
  /** Processes of another container have numbers of their own. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks from the host's start to the process's: a number used again has another one. */
  readonly startTicks: string;
}

/** Field 22 of /proc/<pid>/stat, counted after the command name, which may hold anything. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined; // no such process
  }
}

/** Whose processes can be told from each other: this host, or one that a simulation makes up. */
export interface Host {
  readonly identity: ProcessIdentity;
  /** Whether it is certain that the process is over. */
  isProvenDead(other: ProcessIdentity): boolean;
}

/** This process on this host. */
export function thisHost(bootId: string): Host {
  const identity = {
    host: hostname(),
    bootId,
    pidNamespace: readlinkSync("/proc/self/ns/pid"),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? "0",
  };
  return { identity, isProvenDead: (other) => isProvenDead(other, identity) };
}

function isProvenDead(other: ProcessIdentity, own: ProcessIdentity): boolean {
  if (other.bootId !== own.bootId || other.pidNamespace !== own.pidNamespace) return false;
  return startTicksOf(other.pid) !== other.startTicks;
}
