/** Fields of the changes that build on what is there, of moves, and of transactions. */
import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { PreconditionSchema } from "../../services/gen/safefile/v1/common_pb.js";
import { ACTIONS, type BadCase, EDITS, file, type Options, SMALL, type Step, step } from "./bad-case.js";
import { ask, type Call } from "./raw.js";

const MIB = 1024 * 1024;
const ALL_BITS = 2n ** 63n - 1n;

const invalid =
  (rpc: string, reason = "ARGUMENT_INVALID") =>
  (what: string, call: Call, field: string): BadCase => ({ rpc, what, call, code: "INVALID_ARGUMENT", reason, field });
const other =
  (rpc: string) =>
  (what: string, call: Call, code: string, reason: string): BadCase => ({ rpc, what, call, code, reason });
const when = (ifRevision: bigint | undefined, etag = "") =>
  create(PreconditionSchema, { etag, ...(ifRevision === undefined ? {} : { ifRevision }) });
const time = (seconds: bigint, nanos = 0) => create(TimestampSchema, { seconds, nanos });
const edit = (offset: bigint, length: bigint, data: Uint8Array = SMALL) => ({ offset, length, data });

const append = (request: object): Call => ask(file.appendFile, { path: "a.txt", data: SMALL, ...request });
const patch = (request: object): Call => ask(file.patchFile, { path: "a.txt", edits: EDITS, ...request });
const move = (request: object): Call => ask(file.moveFile, { path: "a.txt", targetPath: "new.txt", ...request });
const copy = (request: object): Call => ask(file.copyFile, { path: "a.txt", targetPath: "new.txt", ...request });
const make = (request: object): Call => ask(file.makeDirectory, { path: "new", ...request });
const transact = (operations: readonly Step[], options: Options = {}): Call =>
  ask(file.executeTransaction, { operations: [...operations], options });
const put = (path: string, data: Uint8Array = SMALL): Step => ({ path, action: { case: "write", value: { data } } });

/** Bad wherever edits are taken; a.txt has three bytes. */
const BAD_EDITS: readonly (readonly [what: string, edits: typeof EDITS, field: string])[] = [
  ["no edit", [], "edits"],
  ["1,001 edits", Array(1001).fill(edit(0n, 0n)), "edits"],
  ["an offset below zero", [edit(-1n, 0n)], "edits[0].offset"],
  ["a length below zero", [edit(0n, -1n)], "edits[0].length"],
  ["edits that overlap", [edit(0n, 2n), edit(1n, 1n)], "edits[1].offset"],
  ["edits in falling order", [edit(2n, 0n), edit(1n, 0n)], "edits[1].offset"],
];
/** Only known when the file is. */
const EDITS_BEYOND: readonly (readonly [what: string, edits: typeof EDITS])[] = [
  ["an insert beyond the end", [edit(4n, 0n)]],
  ["a length beyond the end", [edit(0n, 4n)]],
  ["an offset of all bits", [edit(ALL_BITS, 0n)]],
  ["a length of all bits", [edit(0n, ALL_BITS)]],
  ["an offset and a length of all bits", [edit(ALL_BITS, ALL_BITS)]],
];

type Attributes = Omit<Parameters<typeof create<(typeof file.setAttributes)["input"]>>[1] & object, "$typeName">;
const BAD_ATTRIBUTES: readonly (readonly [what: string, attributes: Attributes, field: string])[] = [
  ["nothing to change", {}, "mode"],
  ["a mode of 01000", { mode: 0o1000 }, "mode"],
  ["a setuid mode", { mode: 0o4755 }, "mode"],
  ["a mode of all bits", { mode: 0xffffffff }, "mode"],
  ["a time before 1970", { updateTime: time(-1n) }, "update_time"],
  ["a time after 9999", { updateTime: time(253_402_300_800n) }, "update_time"],
  ["a time of all bits", { updateTime: time(ALL_BITS) }, "update_time"],
  ["nanoseconds below zero", { updateTime: time(1n, -1) }, "update_time"],
  ["a second of nanoseconds", { updateTime: time(1n, 1_000_000_000) }, "update_time"],
  ["an attribute without a name", { setXattrs: { "": SMALL } }, "set_xattrs"],
  ["an attribute with a zero byte", { setXattrs: { "a\0b": SMALL } }, "set_xattrs"],
  ["an attribute with a name of 251 bytes", { setXattrs: { ["x".repeat(251)]: SMALL } }, "set_xattrs"],
  ["an attribute with a name of 126 letters", { setXattrs: { ["é".repeat(126)]: SMALL } }, "set_xattrs"],
  ["an attribute over 64 KiB", { setXattrs: { x: Buffer.alloc(65_536) } }, "set_xattrs"],
  [
    "attributes over 64 KiB together",
    { setXattrs: { x: Buffer.alloc(40_000), y: Buffer.alloc(40_000) } },
    "set_xattrs",
  ],
  ["no name to remove", { removeXattrs: [""] }, "remove_xattrs"],
  ["a zero byte to remove", { removeXattrs: ["a\0b"] }, "remove_xattrs"],
  ["a name of 251 bytes to remove", { removeXattrs: ["x".repeat(251)] }, "remove_xattrs"],
];

const BAD_CONDITIONS = [
  ["an etag without quotes", when(undefined, "x"), "etag"],
  ["an etag with a quote inside", when(undefined, '"a"b"'), "etag"],
  ["an etag of 300 characters", when(undefined, `"${"x".repeat(298)}"`), "etag"],
  ["an if_revision below zero", when(-1n), "if_revision"],
] as const;
const FAILING = [
  ["another etag", when(undefined, '"x"')],
  ["an earlier if_revision", when(1n)],
  ["an if_revision of all bits", when(ALL_BITS)],
] as const;

const rpc = "ExecuteTransaction";
const nowhere = "NOT_FOUND";
const sha256 = Buffer.alloc(32, 1);

const EDITING: BadCase[] = [
  invalid("AppendFile")("nothing to add", append({ data: Buffer.alloc(0) }), "data"),
  invalid("AppendFile")("more than 1 MiB", append({ data: Buffer.alloc(MIB + 1) }), "data"),
  invalid("AppendFile")("a mode of 01000", append({ mode: 0o1000 }), "mode"),
  invalid("AppendFile")("a sha256 of 31 bytes", append({ sha256: Buffer.alloc(31) }), "sha256"),
  invalid("AppendFile", "CHECKSUM_MISMATCH")("another sha256", append({ sha256 }), "sha256"),
  ...BAD_EDITS.map(([what, edits, field]) => invalid("PatchFile")(what, patch({ edits }), field)),
  ...EDITS_BEYOND.map(([what, edits]) => invalid("PatchFile")(what, patch({ edits }), "edits[0]")),
  ...EDITS_BEYOND.map(([what, edits]) =>
    invalid("PatchFile")(`${what}, validated only`, patch({ edits, options: { validateOnly: true } }), "edits[0]"),
  ),
  invalid("PatchFile")("more than 1 MiB", patch({ edits: [edit(0n, 0n, Buffer.alloc(MIB + 1))] }), "edits"),
  invalid("PatchFile")(
    "more than 1 MiB together",
    patch({ edits: [edit(0n, 0n, Buffer.alloc(MIB)), edit(1n, 0n, SMALL)] }),
    "edits",
  ),
  invalid("PatchFile")("a sha256 of 31 bytes", patch({ sha256: Buffer.alloc(31) }), "sha256"),
  invalid("PatchFile", "CHECKSUM_MISMATCH")("another sha256", patch({ sha256 }), "sha256"),
  other("PatchFile")("nothing there", patch({ path: "none" }), nowhere, "PATH_NOT_FOUND"),
  other("PatchFile")("a deleted file", patch({ path: "gone.txt" }), nowhere, "PATH_NOT_FOUND"),
  ...BAD_ATTRIBUTES.map(([what, attributes, field]) =>
    invalid("SetAttributes")(what, ask(file.setAttributes, { path: "a.txt", ...attributes }), field),
  ),
  other("SetAttributes")(
    "nothing there",
    ask(file.setAttributes, { path: "none", mode: 0 }),
    nowhere,
    "PATH_NOT_FOUND",
  ),
];

const MOVING: BadCase[] = [
  invalid("MakeDirectory")("a mode of 01000", make({ mode: 0o1000 }), "mode"),
  other("MakeDirectory")("a directory", make({ path: "dir" }), "ALREADY_EXISTS", "ALREADY_EXISTS"),
  other("MakeDirectory")("a file", make({ path: "a.txt" }), "ALREADY_EXISTS", "ALREADY_EXISTS"),
  other("MakeDirectory")(
    "a file, with allow_existing",
    make({ path: "a.txt", allowExisting: true }),
    "ALREADY_EXISTS",
    "ALREADY_EXISTS",
  ),
  ...(["MoveFile", "CopyFile"] as const).flatMap((name): BadCase[] => {
    const to = name === "MoveFile" ? move : copy;
    return [
      other(name)("nothing there", to({ path: "none" }), nowhere, "PATH_NOT_FOUND"),
      other(name)("a deleted file", to({ path: "gone.txt" }), nowhere, "PATH_NOT_FOUND"),
      other(name)("a file at the target", to({ targetPath: "used.txt" }), "ALREADY_EXISTS", "ALREADY_EXISTS"),
      invalid(name)("the source as target", to({ targetPath: "a.txt" }), "target_path"),
      invalid(name)("a target below the source", to({ path: "dir", targetPath: "dir/in" }), "target_path"),
      ...BAD_CONDITIONS.map(([what, targetPrecondition, field]) =>
        invalid(name)(`${what}, of the target`, to({ targetPrecondition }), `target_precondition.${field}`),
      ),
      ...FAILING.map(([what, targetPrecondition]) =>
        other(name)(
          `${what}, of the target`,
          to({
            targetPath: "dir/inner.txt",
            overwrite: true,
            targetPrecondition: what.includes("earlier") ? when(7n) : targetPrecondition,
          }),
          "ABORTED",
          "PRECONDITION_FAILED",
        ),
      ),
      other(name)(
        "if_revision zero of a target that is there",
        to({ targetPath: "used.txt", overwrite: true, targetPrecondition: when(0n) }),
        "ALREADY_EXISTS",
        "ALREADY_EXISTS",
      ),
    ];
  }),
  invalid("MoveFile")(
    "a directory under a precondition",
    move({ path: "dir", options: { precondition: when(1n) } }),
    "options.precondition",
  ),
  other("MoveFile")(
    "a directory at the target of a directory",
    move({ path: "dir", targetPath: "empty-dir", overwrite: true }),
    "ALREADY_EXISTS",
    "ALREADY_EXISTS",
  ),
  other("MoveFile")(
    "a file at the target of a directory",
    move({ path: "dir", targetPath: "a.txt", overwrite: true }),
    "ALREADY_EXISTS",
    "ALREADY_EXISTS",
  ),
  invalid("CopyFile")("a revision below zero", copy({ revision: -1n }), "revision"),
  other("CopyFile")("no such revision", copy({ revision: 99n }), nowhere, "BACKUP_VERSION"),
  other("CopyFile")("a revision of all bits", copy({ revision: ALL_BITS }), nowhere, "BACKUP_VERSION"),
  invalid("CopyFile")("the revision of a delete", copy({ path: "gone.txt", revision: 2n }), "revision"),
];

const within = (kind: string) => `operations[0].${kind}`;
const TRANSACTIONS: BadCase[] = [
  invalid(rpc)("no operation", transact([]), "operations"),
  invalid(rpc)("1,001 operations", transact(Array.from({ length: 1001 }, (_, at) => put(`t/${at}`))), "operations"),
  invalid(rpc)("only looks", transact([{ path: "a.txt" }, { path: "used.txt" }]), "operations"),
  invalid(rpc)("more than 1 MiB together", transact([put("t/1", Buffer.alloc(MIB)), put("t/2")]), "operations"),
  invalid(rpc)("one path twice", transact([put("a.txt"), put("a.txt")]), "path"),
  invalid(rpc)("a path below another", transact([put("t"), put("t/below")]), "path"),
  invalid(rpc)("a path below another with letters between", transact([put("t"), put("t-"), put("t/below")]), "path"),
  invalid(rpc)("a look at what it changes", transact([put("a.txt"), { path: "a.txt" }]), "path"),
  other(rpc)(
    "one that fails among good ones",
    transact([put("t/1"), put("t/2"), { ...put("a.txt"), precondition: when(1n) }, put("t/3")]),
    "ABORTED",
    "PRECONDITION_FAILED",
  ),
  other(rpc)(
    "a look that fails among good ones",
    transact([put("t/1"), { path: "a.txt", precondition: when(1n) }]),
    "ABORTED",
    "PRECONDITION_FAILED",
  ),
  other(rpc)(
    "a look at what must not be there",
    transact([put("t/1"), { path: "a.txt", precondition: when(0n) }]),
    "ALREADY_EXISTS",
    "ALREADY_EXISTS",
  ),
  ...ACTIONS.flatMap((action): BadCase[] => [
    ...BAD_CONDITIONS.map(([what, precondition, field]) =>
      invalid(rpc)(`${what}, ${action.case}`, step(action, "a.txt", { precondition }), within(`precondition.${field}`)),
    ),
    ...FAILING.map(([what, precondition]) =>
      other(rpc)(`${what}, ${action.case}`, step(action, "a.txt", { precondition }), "ABORTED", "PRECONDITION_FAILED"),
    ),
    ...(["write", "append"].includes(action.case ?? "")
      ? []
      : [other(rpc)(`nothing there, ${action.case}`, step(action, "none"), nowhere, "PATH_NOT_FOUND")]),
  ]),
  ...(["move", "copy"] as const).flatMap((kind) => [
    ...BAD_CONDITIONS.map(([what, targetPrecondition, field]) =>
      invalid(rpc)(
        `${what}, of the target of a ${kind}`,
        step({ case: kind, value: { targetPath: "new.txt", targetPrecondition } } as never),
        within(`${kind}.target_precondition.${field}`),
      ),
    ),
    invalid(rpc)(
      `the source as target of a ${kind}`,
      step({ case: kind, value: { targetPath: "a.txt" } } as never),
      within(`${kind}.target_path`),
    ),
    other(rpc)(
      `a file at the target of a ${kind}`,
      step({ case: kind, value: { targetPath: "used.txt" } } as never),
      "ALREADY_EXISTS",
      "ALREADY_EXISTS",
    ),
  ]),
  invalid(rpc)("a write with a mode of 01000", step({ case: "write", value: { mode: 0o1000 } }), within("write.mode")),
  invalid(rpc)(
    "a write with a sha256 of 31 bytes",
    step({ case: "write", value: { sha256: Buffer.alloc(31) } }),
    within("write.sha256"),
  ),
  invalid(rpc, "CHECKSUM_MISMATCH")(
    "a write with another sha256",
    step({ case: "write", value: { data: SMALL, sha256 } }),
    within("write.sha256"),
  ),
  invalid(rpc)("an append of nothing", step({ case: "append", value: {} }), within("append.data")),
  ...BAD_EDITS.map(([what, edits, field]) =>
    invalid(rpc)(`${what}, patch`, step({ case: "patch", value: { edits } }), within(`patch.${field}`)),
  ),
  ...EDITS_BEYOND.map(([what, edits]) =>
    invalid(rpc)(`${what}, patch`, step({ case: "patch", value: { edits } }), "edits[0]"),
  ),
  ...BAD_ATTRIBUTES.map(([what, attributes, field]) =>
    invalid(rpc)(
      `${what}, attributes`,
      step({ case: "attributes", value: attributes as never }),
      within(`attributes.${field}`),
    ),
  ),
  invalid(rpc)("revision zero", step({ case: "rollback", value: {} }), within("rollback.revision")),
  invalid(rpc)(
    "a revision below zero",
    step({ case: "rollback", value: { revision: -1n } }),
    within("rollback.revision"),
  ),
  invalid(rpc)(
    "the revision of a delete",
    step({ case: "rollback", value: { revision: 2n } }, "gone.txt"),
    within("rollback.revision"),
  ),
  other(rpc)("no such revision", step({ case: "rollback", value: { revision: 99n } }), nowhere, "BACKUP_VERSION"),
  invalid(rpc)(
    "a copy of a revision below zero",
    step({ case: "copy", value: { targetPath: "new.txt", revision: -1n } }),
    within("copy.revision"),
  ),
  // Field 999 of the operation: an action of a version to come reads as none.
  invalid(rpc)(
    "an action that nobody knows",
    {
      method: file.executeTransaction,
      frames: [Buffer.from([0x22, 11, 0x0a, 5, ...Buffer.from("a.txt"), 0xba, 0x3e, 1, 0])],
    },
    "operations",
  ),
];

const STREAMS: BadCase[] = [
  invalid("WriteFiles")("a message with nothing in it", ask(file.writeFiles, {}), "write.options.request_id"),
  invalid("WriteFiles")(
    "a write without a request_id",
    ask(file.writeFiles, { write: { path: "a.txt", data: SMALL } }),
    "write.options.request_id",
  ),
];

export const BAD_CHANGES: readonly BadCase[] = [...EDITING, ...MOVING, ...TRANSACTIONS, ...STREAMS];
