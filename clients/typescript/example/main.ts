/** What a service does with Safefile, in six parts; the same program stands beside the other clients. */
import { isReason, RestoreState, RevisionKind, SafefileClient } from "@safefile/client";

const directory = process.env.SAFEFILE_DIRECTORY ?? "example";
using client = new SafefileClient({ address: process.env.SAFEFILE_ADDRESS ?? "127.0.0.1:7420" });

// [write]
const { file, revision } = await client.write(`${directory}/notes.txt`, Buffer.from("hello\n"), { ifRevision: 0 });
console.log(`write: revision ${revision?.revision}, ${file?.sizeBytes} bytes`);

// [conflict]
const read = await client.read(`${directory}/notes.txt`);
const { etag } = read.file;
await client.write(`${directory}/notes.txt`, Buffer.from("hello again\n"), { etag });
try {
  // Somebody who read before that and writes only now.
  await client.write(`${directory}/notes.txt`, Buffer.from("hello, too\n"), { etag });
} catch (error) {
  if (!isReason(error, "PRECONDITION_FAILED")) throw error;
  console.log(`conflict: ${error.reason}, ${error.outcome}, the file is at revision ${error.metadata.revision}`);
}

// [transaction]
const { result, items } = await client.transaction((tx) => {
  for (const name of ["a", "b", "c"]) tx.write(`${directory}/tree/${name}`, Buffer.from(name));
});
console.log(`transaction: ${items.length} changes, all or none`);

// [watch]
const stop = new AbortController();
const changes = client.watch(directory, { recursive: true, signal: stop.signal });
// The first message comes at once: what is written after it is seen.
await changes.next();
await client.write(`${directory}/watched.txt`, Buffer.from("look\n"));
for await (const { event } of changes) {
  if (event.case !== "change" || event.value.revision === undefined) continue;
  const { kind, path, revision } = event.value.revision;
  console.log(`watch: ${RevisionKind[kind]} of ${path.slice(directory.length + 1)}, revision ${revision}`);
  break;
}
stop.abort();

// [upload]
const content = Buffer.alloc(4 * 1024 * 1024, "safefile ");
function* breakingOff() {
  yield content.subarray(0, content.length - 1024);
  throw new Error("the source broke off");
}
const uploadId = crypto.randomUUID();
await client.upload(`${directory}/big.bin`, breakingOff, { uploadId }).catch(() => undefined);
let wentOn = false;
const onResumed = () => {
  wentOn = true;
};
// The client compares the digest of what it sent with that of the revision.
const uploaded = await client.upload(`${directory}/big.bin`, content, { uploadId, onResumed });
console.log(`upload: broke off, ${wentOn ? "went on" : "began anew"}, ${uploaded.file?.sizeBytes} bytes, digest equal`);

// [restore]
await client.remove(`${directory}/tree`, { recursive: true });
const point = { operation: result.operationId };
const { restoreId } = await client.startRestore(`${directory}/tree`, { tree: true, asOf: point });
for await (const { event } of client.watchRestore(restoreId)) {
  if (event.case !== "progress") continue;
  const { state, filesDone, filesTotal, bytesDone } = event.value;
  console.error(`${filesDone} of ${filesTotal} files, ${bytesDone} bytes`);
  if (state === RestoreState.SUCCEEDED) console.log(`restore: ${filesDone} of ${filesTotal} files, SUCCEEDED`);
}
// [end]
