import { admin, type BadCase, file, locking, recovery } from "./bad-case.js";
import { ask, type Call } from "./raw.js";

// Field 2 of most requests, the path, as bytes that are not UTF-8; then a message that ends inside that field.
const BYTES: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["text that is not UTF-8", Buffer.from([0x12, 2, 0xff, 0xfe])],
  ["a message that ends too early", Buffer.from([0x12, 5, 0x61])],
];

const asFirstField = (bytes: Buffer) => Buffer.concat([Buffer.from([0x0a]), bytes.subarray(1)]);
const asHeader = (bytes: Buffer) => Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);

const { statFile, listFiles, readFile, writeFile, deleteFile, uploadFile, watchFiles } = file;
const { appendFile, patchFile, moveFile, copyFile, makeDirectory, setAttributes, executeTransaction } = file;
const NEW = [appendFile, patchFile, moveFile, copyFile, makeDirectory, setAttributes];
const { listRevisions, readRevision, rollbackFile, startRestore, rebuildIndex, watchRestore } = recovery;
const HISTORY = [listRevisions, readRevision, rollbackFile];
const WITH_PATH = [statFile, listFiles, readFile, writeFile, deleteFile, watchFiles, ...HISTORY];
const header = ask(uploadFile, { part: { case: "header", value: { path: "a.txt" } } }).frames;

/** Bytes that no client library would send. */
export const BAD_BYTES: readonly BadCase[] = BYTES.flatMap(([what, bytes]) => {
  const calls: readonly (readonly [what: string, call: Call])[] = [
    ...[...WITH_PATH, ...NEW, startRestore].map((method) => [what, { method, frames: [bytes] }] as const),
    ...[
      rebuildIndex,
      watchRestore,
      executeTransaction,
      file.writeFiles,
      recovery.listIncidents,
      admin.watchEvents,
      admin.drainReplica,
      ...Object.values(locking),
    ].map((method) => [what, { method, frames: [asFirstField(bytes)] }] as const),
    [`${what}, as header`, { method: uploadFile, frames: [asHeader(bytes)] }],
    [`${what}, as chunk`, { method: uploadFile, frames: [...header, bytes] }],
  ];
  return calls.map(([each, call]): BadCase => {
    const fitting = { code: "INVALID_ARGUMENT", reason: "ARGUMENT_INVALID", field: "request" };
    return { rpc: call.method.name, what: each, call, ...fitting };
  });
});
