import { readFileSync } from "node:fs";
import { type Edit, SafefileClient } from "@safefile/client";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import * as browse from "./browse.js";
import * as change from "./change.js";
import type { CommandContext } from "./command-context.js";
import { doctor } from "./doctor/doctor.js";
import * as edit from "./edit.js";
import { EXIT, EXIT_HELP, failureOf, linesOf } from "./failure.js";
import { cat, get } from "./get.js";
import { events, incidents } from "./incidents.js";
import * as locking from "./lock.js";
import * as move from "./move.js";
import { Output, type Streams } from "./output.js";
import { put } from "./put.js";
import { restore, watchRestore } from "./restore.js";
import { tx } from "./tx.js";
import { type WatchFlags, watch } from "./watch.js";
import { parseWhen } from "./when.js";

const ADDRESS = "127.0.0.1:7420";
const PARALLEL = 16;
const PARALLEL_MAX = 64;
const MODE_MAX = 0o777;

const TX_HELP = `
FILE holds a list of steps, each with "action" and "path":
  [{"action": "write", "path": "a", "text": "new", "ifRevision": 3},
   {"action": "move", "path": "b", "target": "c"}]
Actions: write, append (content as "text", "base64" or "file", a local one), patch ("edits", as in
\`safefile patch\`), remove, move and copy ("target", "overwrite", "targetPrecondition"; copy also
"revision"), rollback ("revision"), attributes ("mode", "modifiedTime", "setXattrs", "removeXattrs"),
check. Any of them takes "ifRevision" and "etag"; write takes "mode".`;

interface GlobalOptions {
  readonly address: string;
  readonly volume?: string;
  readonly json?: boolean;
  readonly progress?: boolean;
}

export interface Surroundings extends Streams {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** Runs one command line and returns its exit code. */
export async function runCommand(args: readonly string[], around: Surroundings): Promise<number> {
  const { command, run } = programOf(around);
  try {
    await command.parseAsync([...args], { from: "user" });
    return run.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { address, json } = command.opts<GlobalOptions>();
    const failure = failureOf(error, address);
    if (json) around.stderr.write(`${JSON.stringify({ error: failure })}\n`);
    else for (const line of linesOf(failure)) around.stderr.write(`${line}\n`);
    return failure.exitCode;
  }
}

function programOf(around: Surroundings) {
  const run = { exitCode: EXIT.ok as number };
  const command = new Command("safefile")
    .description("Safe file changes on a shared volume: validated, locked, backed up, verified, published at once.")
    .version(version())
    .addOption(new Option("--address <host:port>", "a replica; also SAFEFILE_ADDRESS").default(ADDRESS))
    .option("--volume <name>", "the volume, when a replica serves several")
    .option("--json", "results for programs: one document, or an object a line for lists and progress")
    .option("--progress", "show progress also where nobody watches")
    .option("--no-progress", "show no progress")
    .addHelpText("after", EXIT_HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void around.stdout.write(text),
      writeErr: (text) => void around.stderr.write(text),
    })
    .showHelpAfterError("(safefile --help lists the commands)");
  // Neither of the two flags given is a wish of its own.
  command.setOptionValueWithSource("progress", undefined, "default");
  if (around.env.SAFEFILE_ADDRESS) command.setOptionValueWithSource("address", around.env.SAFEFILE_ADDRESS, "env");

  /** Gives a command its connection, and ends it. */
  const connected =
    <A extends unknown[]>(action: (context: CommandContext, ...args: A) => Promise<void>) =>
    async (...args: [...A, Command]) => {
      const { address, volume, json, progress } = command.opts<GlobalOptions>();
      const client = new SafefileClient({ address, ...(volume === undefined ? {} : { volume }) });
      const output = new Output(around, json ?? false);
      const { signal, now } = around;
      try {
        await action({ client, address, output, progress, signal, now }, ...(args as unknown as A));
      } finally {
        client.close();
      }
    };

  changes(command, connected);
  edits(command, connected, around);
  reads(command, connected);
  restores(command, connected, around);
  troubles(command, connected);
  locks(command, connected, run);
  command
    .command("doctor <dir>")
    .description("test whether a directory can be a volume; needs no server, leaves nothing behind")
    .action(async (dir: string) => {
      const sound = await doctor(dir, new Output(around, command.opts<GlobalOptions>().json ?? false));
      run.exitCode = sound ? EXIT.ok : EXIT.failed;
    });
  return { command, run };
}

type Connected = <A extends unknown[]>(
  action: (context: CommandContext, ...args: A) => Promise<void>,
) => (...args: [...A, Command]) => Promise<void>;

function changes(program: Command, connected: Connected): void {
  changing(program.command("put <local> <path>"))
    .description("write a file, stdin (-) or, with -r, all files of a directory")
    .option("-r, --recursive", "a directory with all below it; symlinks are skipped and counted")
    .option("--if-changed", "skip what is there already with the same SHA-256 and mode")
    .option("--mode <octal>", "permission bits instead of the local ones", octal)
    .addOption(parallel())
    .action(connected(put));
  changing(program.command("rm <path>"))
    .description("delete a file; its content stays as a revision")
    .option("-r, --recursive", "a directory with all below it")
    .action(connected(change.rm));
  changing(program.command("rollback <path>"))
    .argument("<revision>", "its number, from `safefile log`", positive)
    .description("make an earlier revision the live file again, as a new revision")
    .action(connected(change.rollback));
  program
    .command("rebuild-index")
    .description("build the index again from the volume")
    .action(connected(change.rebuildIndex));
}

function edits(program: Command, connected: Connected, around: Surroundings): void {
  changing(program.command("append <path> [local]"))
    .description("add a local file or stdin (-, the default) at the end; at most 1 MiB")
    .option("--mode <octal>", "permission bits of a file that was not there", octal)
    .action(
      connected((context, path: string, local: string | undefined, options) =>
        edit.append(context, path, local ?? "-", options),
      ),
    );
  changing(program.command("patch <path> [edits]"))
    .description("replace parts of a file; offsets are those before any edit, and rise")
    .option("--edit <offset:length:text>", "put text in place of length bytes; may be repeated", edited)
    .addHelpText("after", '\nWithout --edit, a JSON file or stdin: [{"offset": 0, "length": 3, "text": "new"}]')
    .action(connected(edit.patch));
  changing(program.command("mv <source> <target>"))
    .description("move a file or directory; what ends in / is a directory to move into")
    .option("-f, --force", "replace a file at the target; it stays as a revision")
    .option("--if-target-revision <number>", "only if the target is this revision", whole)
    .action(connected(move.mv));
  changing(program.command("cp <source> <target>"))
    .description("copy a file within the volume")
    .option("-f, --force", "replace a file at the target; it stays as a revision")
    .option("--revision <number>", "an earlier revision of the source", positive)
    .option("--if-target-revision <number>", "only if the target is this revision", whole)
    .action(connected(move.cp));
  identified(program.command("mkdir <path>"))
    .description("make a directory and its missing parents")
    .option("-p, --parents", "no error when it is there already")
    .option("--mode <octal>", "permission bits instead of 755", octal)
    .action(connected(move.mkdir));
  changing(program.command("chmod"))
    .argument("<mode>", "octal digits, 0 to 777", octal)
    .argument("<path>")
    .description("change the permission bits of a file, as a revision")
    .action(connected(edit.chmod));
  changing(program.command("attr <path>"))
    .description("change extended attributes or the time of a file, as a revision; `stat` shows them")
    .option("--set <name=value>", 'set an attribute, named without the "user." in front; may be repeated', pair)
    .option("--remove <name>", "remove an attribute; may be repeated", repeated)
    .option("--mtime <time>", "the time of last change, as 2026-05-04T13:00:00Z, or how long ago as 10m", (text) =>
      parseWhen(text, around.now()),
    )
    .action(connected(edit.attr));
  identified(program.command("tx <file>"))
    .description("make all changes of a JSON file (stdin: -), or none")
    .option("--dry-run", "only check whether it would be committed")
    .addHelpText("after", TX_HELP)
    .action(connected(tx));
}

function reads(program: Command, connected: Connected): void {
  program
    .command("get <path> <local>")
    .description("read a file to a local one, to stdout (-) or, with -r, a directory")
    .option("-r, --recursive", "a directory with all below it")
    .option("--revision <number>", "an earlier revision", positive)
    .addOption(parallel())
    .action(connected(get));
  program
    .command("cat <path>")
    .description("write a file to stdout")
    .option("--revision <number>", "an earlier revision", positive)
    .action(connected(cat));
  program
    .command("ls [path]")
    .description("list a directory")
    .option("-r, --recursive", "also everything below")
    .option("-l, --long", "type, mode, size, revision and time")
    .action(
      connected((context, path: string | undefined, options: browse.LsOptions) =>
        browse.ls(context, path ?? "", options),
      ),
    );
  program
    .command("watch [path]")
    .description("show changes as they are committed, until Ctrl-C")
    .option("-r, --recursive", "also everything below; else the path and its direct entries")
    .option("--resume-token <token>", "go on after this event, from --json")
    .action(connected((context, path: string | undefined, options: WatchFlags) => watch(context, path ?? "", options)));
  program.command("stat <path>").description("what is at a path").action(connected(browse.stat));
  program.command("log <path>").description("the revisions of a file, newest first").action(connected(browse.log));
}

function restores(program: Command, connected: Connected, around: Surroundings): void {
  program
    .command("restore <path>")
    .description("bring a file or, with --tree, a directory back to how it was")
    .option("--as-of <time>", "2026-05-04T13:00:00Z, or how long ago as 10m, 2h, 1d", (text) =>
      parseWhen(text, around.now()),
    )
    .option("--as-of-operation <id>", "just after this operation, from `safefile log`")
    .option("--tree", "everything at and below the path; . is the whole volume")
    .option("--to <path>", "restore to here and leave the path alone")
    .option("--include <glob>", "only what matches; may be repeated", repeated)
    .option("--exclude <glob>", "not what matches; may be repeated", repeated)
    .option("--delete-extra", "also delete files that did not exist then")
    .addOption(
      new Option("--overwrite <policy>", "what to do with files that are there")
        .choices(["always", "never"])
        .default("always"),
    )
    .option("--dry-run", "only say what would be done")
    .option("--request-id <id>", "repeat an earlier call safely")
    .option("--watch", "show progress until it ends (default)", true)
    .option("--no-watch", "start it and return")
    .action(connected(restore));
  program
    .command("watch-restore <restore-id>")
    .description("show the progress of a restore until it ends")
    .option("--cursor <cursor>", "go on after this event")
    .action(connected(watchRestore));
}

function troubles(program: Command, connected: Connected): void {
  program
    .command("incidents")
    .description("what went wrong and what became of it, newest first")
    .option("--unresolved", "only what is not over")
    .action(connected(incidents));
  program
    .command("events")
    .description("what administrators should know, as it happens")
    .option("--follow", "until Ctrl-C")
    .addOption(new Option("--severity <least>", "only what matters so much").choices(["info", "warning", "error"]))
    .option("--resume-token <token>", "go on after this event")
    .action(connected(events));
}

function locks(program: Command, connected: Connected, run: { exitCode: number }): void {
  program
    .command("lock <paths...>")
    .description("lock paths over several calls, all or none; prints the lock's id, for --lock-id of changes")
    .option("-t, --tree", "also all below each path")
    .option("--shared", "together with others who share it")
    .option("--ttl <seconds>", "how long it lasts unless renewed", positive)
    .option("--wait <seconds>", "how long to wait for it; 0 does not wait", whole)
    .option("--priority <number>", "who goes first among those waiting, -100 to 100", integer)
    .option("--owner <name>", "what you call yourself, for others who wait")
    .option("--run <command>", "hold it, renewed, while this command of the shell runs, which finds SAFEFILE_LOCK_ID")
    .option("--request-id <id>", "repeat an earlier call safely")
    .option("--label <key=value>", "kept with the lock; may be repeated", pair)
    .action(
      connected(async (context, paths: string[], flags: locking.LockFlags) => {
        run.exitCode = await locking.lock(context, paths, flags);
      }),
    );
  program
    .command("unlock <lock-id>")
    .description("end a lock")
    .action(connected((context, lockId: string) => locking.unlock(context, lockId)));
  program
    .command("locks [path]")
    .description("who holds and who waits: clients' locks, and the leases of changes")
    .option("--clients-only", "no leases of changes")
    .option("--follow", "as it happens, until Ctrl-C")
    .option("--resume-token <token>", "with --follow: go on after this event")
    .action(connected(locking.locks));
  program
    .command("break-lock <lock-id>")
    .description("end somebody else's lock and stop the change that uses it; recorded as an incident")
    .requiredOption("--reason <text>", "why; it is kept")
    .option("--request-id <id>", "repeat an earlier call safely")
    .action(connected(locking.breakLock));
  program
    .command("wait-graph")
    .description("who waits for whom, and in circles")
    .action(connected((context) => locking.waitGraph(context)));
}

/** Of this package. */
function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** What all changes take. */
function identified(command: Command): Command {
  return command
    .option("--request-id <id>", "repeat an earlier call safely: what it did is not done twice")
    .option("--label <key=value>", "kept with the revision; may be repeated", pair)
    .addOption(new Option("--lock-id <id>", "under this lock, from `safefile lock`").env("SAFEFILE_LOCK_ID"));
}

/** What all changes of one path take. */
function changing(command: Command): Command {
  return identified(command)
    .option("--if-revision <number>", "only if the file is this revision; 0: only if nothing is there", whole)
    .option("--etag <etag>", "only if the file has this etag");
}

function parallel(): Option {
  return new Option("--parallel <files>", `how many files at once, up to ${PARALLEL_MAX}`)
    .default(PARALLEL)
    .argParser((text) => {
      const files = positive(text);
      if (files > PARALLEL_MAX) throw new InvalidArgumentError(`At most ${PARALLEL_MAX}.`);
      return files;
    });
}

function whole(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new InvalidArgumentError("Give a whole number.");
  return number;
}

function integer(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

function positive(text: string): number {
  const number = whole(text);
  if (number === 0) throw new InvalidArgumentError("Give a number from 1.");
  return number;
}

function octal(text: string): number {
  const mode = Number.parseInt(text, 8);
  if (!/^[0-7]{1,4}$/.test(text) || mode > MODE_MAX) throw new InvalidArgumentError("Give octal digits, 0 to 777.");
  return mode;
}

function repeated(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function pair(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Give it as key=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function edited(text: string, before: readonly Edit[] = []): readonly Edit[] {
  const [, offset, length, data] = /^(\d+):(\d+):(.*)$/s.exec(text) ?? [];
  if (data === undefined) throw new InvalidArgumentError("Give an edit as offset:length:text.");
  return [...before, { offset: whole(offset!), length: whole(length!), data: Buffer.from(data) }];
}
