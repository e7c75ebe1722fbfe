/** Suites that must notice bugs of a kind, and the bugs. Each suite does as little as reliably finds what it is to find. */
export interface Suite {
  /** The compiled test file, below the output directory. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the tests in the file, those whose names match. */
  readonly only?: string;
  readonly needsDisk?: true;
}

export const SUITES = {
  cuts: {
    file: "test/faults/power-cut.test.js",
    // A checkpoint makes everything durable, whatever is missing before it.
    env: { SAFEFILE_TEST_CUTS: "3", SAFEFILE_TEST_FILE_SYSTEMS: "ext4", SAFEFILE_TEST_CHECKPOINTS_MS: "3600000" },
    needsDisk: true,
  },
  "stale guess": { file: "test/protocol/stale-guess.test.js", env: {} },
  interleavings: { file: "test/protocol/interleaving.test.js", env: { SAFEFILE_TEST_INTERLEAVINGS: "40" } },
  contended: {
    file: "test/crash/contended.test.js",
    env: { SAFEFILE_TEST_COMMITS: "100" },
    only: "without any locks",
  },
  readers: { file: "test/crash/kill.test.js", env: { SAFEFILE_TEST_KILLS: "2" } },
  kills: {
    file: "test/faults/kill-points.test.js",
    env: { SAFEFILE_TEST_OPERATIONS: "overwrite", SAFEFILE_TEST_POINTS: "rename,ftruncate" },
  },
  errors: {
    file: "test/faults/error-points.test.js",
    env: { SAFEFILE_TEST_OPERATIONS: "overwrite", SAFEFILE_TEST_POINTS: "fdatasync" },
  },
  verify: { file: "test/verify/corrupted.test.js", env: {} },
  index: { file: "test/index/tampered.test.js", env: {} },
  simulation: { file: "test/sim/sim.test.js", env: { SAFEFILE_TEST_SEEDS: "400" }, only: "simulated runs" },
  tokens: { file: "test/lock/fence.test.js", env: {}, only: "durabl" },
  locks: { file: "test/system/locks.test.js", env: {}, only: "changes under the lock|a request_id|takes the place" },
  survival: {
    file: "test/system/locks-survive.test.js",
    env: {},
    only: "I8: a lock survives that 1|file is gone|not brought back",
  },
} as const satisfies Record<string, Suite>;

export interface Plant {
  readonly name: string;
  /** Compiled, below the output directory. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly planted: string;
  readonly suite: keyof typeof SUITES;
  /** What the failure must say: red for another reason is not found. */
  readonly says: RegExp;
}

/** Writes the new content over the live file instead of renaming the staged one. */
const PUBLISH = "const baton = this.batonOf(live.path);";
const IN_PLACE = `const into = await this.volume.openWrite(live).catch(() => undefined);
        if (into) {
          const bytes = Buffer.alloc((await this.files[0].stat()).sizeBytes);
          await this.files[0].read(bytes, 0);
          await into.truncate(0);
          await into.write(bytes, 0);
          await into[Symbol.asyncDispose]();
          await this.volume.unlink(this.name);
          return;
        }
        ${PUBLISH}`;
const LOST =
  /acknowledged \S+ is not there|is not its newest revision|a revision of \S+ is missing|There is no file at|no journal holds the record/;

export const PLANTS: readonly Plant[] = [
  {
    name: "the journal is not flushed",
    file: "services/journal/writer.js",
    text: "await this.open.sync();",
    planted: "",
    suite: "cuts",
    says: LOST,
  },
  {
    name: "changes are acknowledged before their records are written",
    file: "services/journal/writer.js",
    text: "await this.open.writeAll(buffers, this.offset);",
    planted: `for (const [at, each] of group.entries()) each.done(appended[at]);
            await new Promise((resolve) => setTimeout(resolve, 300));
            await this.open.writeAll(buffers, this.offset);`,
    suite: "cuts",
    says: LOST,
  },
  {
    name: "the live file is found before its baton is taken",
    file: "services/protocol/attempt.js",
    text: `const [created, renamed, found] = await this.volume.inOrder([
            () => this.volume.create(this.name),
            () => this.allBatons.rename(seen, next),
            () => this.volume.find(part.path),`,
    planted: `const [created, found, renamed] = await this.volume.inOrder([
            () => this.volume.create(this.name),
            () => this.volume.find(part.path),
            () => this.allBatons.rename(seen, next),`,
    suite: "stale guess",
    says: /strictly deep-equal/,
  },
  {
    name: "a baton is passed on before its file is published",
    file: "services/protocol/attempt.js",
    text: `const [published, looked, renamed] = await this.volume.inOrder([
            () => this.volume.rename(this.name, live),
            () => this.files[0].stat(),
            () => this.allBatons.rename(baton, next),`,
    planted: `const [renamed, looked, published] = await this.volume.inOrder([
            () => this.allBatons.rename(baton, next),
            () => this.files[0].stat(),
            () => this.volume.rename(this.name, live),`,
    suite: "interleavings",
    says: /seed \d+/,
  },
  {
    name: "a rival is looked at instead of fenced",
    file: "services/protocol/settle.js",
    text: 'await went(this.volume.rename(this.volume.control(stagedName(operation)), fenced), ["ENOENT"]);',
    planted: "await this.volume.stat(this.volume.control(stagedName(operation)));",
    suite: "interleavings",
    says: /seed \d+/,
  },
  {
    name: "a baton is taken without settling its owner",
    file: "services/protocol/settle.js",
    text: '(await this.settle(baton.owner, path)) !== "COMMITTED"',
    planted: "true",
    suite: "contended",
    says: /I3: counter-\d|I3\/I5: the history of/,
  },
  {
    name: "what was stopped is said not to be committed without an abort record",
    file: "services/protocol/attempt.js",
    text: "await this.journals.abort(this.operation, reason);",
    planted: ";",
    suite: "interleavings",
    says: /seed \d+/,
  },
  {
    name: "a change is published before it is verified",
    file: "services/pipeline/pipeline.js",
    text: "const verified = await on.verify(lease, staged);",
    planted: `const receipt = await on.commit(plan, lease, base, staged);
            await on.verify(lease, staged);
            return receipt;
            const verified = staged;`,
    suite: "verify",
    says: /published before it was verified|was acknowledged/,
  },
  {
    name: "a live file is written in place, seen by who is killed",
    file: "services/protocol/attempt.js",
    text: PUBLISH,
    planted: IN_PLACE,
    suite: "kills",
    says: /I2: neither as before nor as after/,
  },
  {
    name: "a live file is written in place, seen by who reads",
    file: "services/protocol/attempt.js",
    text: PUBLISH,
    planted: IN_PLACE,
    suite: "readers",
    says: /torn content of \d+ bytes/,
  },
  {
    name: "a checkpoint is written before what it vouches for is durable",
    file: "services/recover/checkpointer.js",
    text: "await this.checkpoints.syncNames();",
    planted: "",
    suite: "simulation",
    says: /I1|I4|acknowledged/,
  },
  {
    name: "a failed flush is tried again",
    file: "services/volume/handle.js",
    text: "await fdatasync(this.fd);",
    planted: "await fdatasync(this.fd).catch(() => fdatasync(this.fd));",
    suite: "errors",
    says: /I10: a replica goes on after a flush or close that failed/,
  },
  {
    name: "the head is what Redis says",
    file: "services/backup/backup.js",
    text: "await this.heads.headAt(path, lease.attempt.batonOf(path).last)",
    planted: "await this.heads.headAt(path, known.heads.get(path) ?? lease.attempt.batonOf(path).last)",
    suite: "index",
    says: /Redis was believed|taken for a change from outside|a write on revision 1|has if_revision \d+, not \d+/,
  },
  {
    name: "a fencing token is given before it is durable",
    file: "services/lock/client-locks/fence.js",
    text: "await this.volume.syncDirectory(this.volume.control(name));",
    planted: "void this.volume.syncDirectory(this.volume.control(name));",
    suite: "tokens",
    says: /raised and not flushed/,
  },
  {
    name: "the file of a lock whose place is taken stays",
    file: "services/lock/client-locks/client-locks.js",
    text: "await this.records.remove(await this.records.conflicting(entry.targets, entry.id));",
    planted: "",
    suite: "tokens",
    says: /unlink locks\/\S+ is missing/,
  },
  {
    name: "a token that does not rise",
    file: "services/lock/client-locks/fence.js",
    text: "epoch: seen.epoch + 1, owner: last, last",
    planted: "epoch: seen.epoch, owner: last, last",
    suite: "tokens",
    says: /raised and not flushed|evaluated to a falsy value/,
  },
  {
    name: "the lock of a change is ignored",
    file: "services/lock/lock.js",
    text: 'underLock ?? operation.under ?? ""',
    planted: 'operation.under ?? ""',
    suite: "locks",
    says: /LOCK_TIMEOUT|was busy/,
  },
  {
    name: "nobody looks whether the file of a lock is there",
    file: "services/lock/lock.js",
    text: "await this.clientLocks.assertInForce(underLock, path);",
    planted: ";",
    suite: "survival",
    says: /LOCK_FENCED/,
  },
  {
    name: "a lock server that forgot gets no locks back",
    file: "services/lock/client-locks/records.js",
    text: 'await server.ask("install"',
    planted: 'await server.ask("look"',
    suite: "survival",
    says: /LOCK_LOST|has ended/,
  },
  {
    name: "a lock that expired is put down again",
    file: "services/lock/client-locks/records.js",
    text: "kept.touchedMs + kept.ttlMs + marginMs - Date.now()",
    planted: "kept.ttlMs",
    suite: "survival",
    says: /LOCK_\(LOST\|FENCED\)/,
  },
];
