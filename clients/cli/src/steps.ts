import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Attributes, Condition, Edit, TargetOptions, TransactionStep } from "@safefile/client";
import { filePath } from "./command-context.js";
import { Fields, wrong } from "./fields.js";
import { parseWhen } from "./when.js";

/** The edits of a patch: `[{"offset": 0, "length": 3, "text": "new"}]`; "base64" where it is no text. */
export function readEdits(document: unknown, place: string): Edit[] {
  if (!Array.isArray(document)) throw wrong(place, "must be a list of edits");
  return document.map((value, at) => {
    const fields = new Fields(value, `${place}[${at}]`);
    const data = bytesIf(fields);
    const edit = { offset: fields.whole("offset"), length: fields.wholeIf("length") ?? 0, ...(data && { data }) };
    fields.end();
    return edit;
  });
}

/** The steps of a transaction, in the shape that the README shows. Local files are sought from `dir`. */
export async function readSteps(document: unknown, dir: string, now: Date): Promise<TransactionStep[]> {
  if (!Array.isArray(document)) throw wrong("the transaction", "must be a list of steps");
  const steps: TransactionStep[] = [];
  for (const [at, value] of document.entries()) {
    const fields = new Fields(value, `steps[${at}]`);
    const action = fields.text("action");
    const about = { path: pathOf(fields, "path"), ...conditionOf(fields) };
    steps.push({ ...about, ...(await actionOf(action, fields, dir, now)) });
    fields.end();
  }
  return steps;
}

async function actionOf(action: string, fields: Fields, dir: string, now: Date) {
  switch (action) {
    case "write":
      return { action, data: await contentOf(fields, dir), ...modeOf(fields) } as const;
    case "append":
      return { action, data: await contentOf(fields, dir) } as const;
    case "patch":
      return { action, edits: readEdits(fields.list("edits"), `${fields.place}.edits`) } as const;
    case "remove":
    case "check":
      return { action } as const;
    case "move":
      return { action, ...targetOf(fields) } as const;
    case "copy": {
      const revision = fields.wholeIf("revision");
      return { action, ...targetOf(fields), ...(revision === undefined ? {} : { revision }) } as const;
    }
    case "rollback":
      return { action, revision: fields.whole("revision") } as const;
    case "attributes":
      return { action, ...attributesOf(fields, now) } as const;
    default:
      throw wrong(`${fields.place}.action`, `"${action}" is not one of the actions`);
  }
}

function targetOf(fields: Fields): { target: string } & TargetOptions {
  const overwrite = fields.flagIf("overwrite") ?? false;
  const expected = fields.fieldsIf("targetPrecondition");
  const targetPrecondition = expected && conditionOf(expected);
  expected?.end();
  return { target: pathOf(fields, "target"), overwrite, ...(targetPrecondition && { targetPrecondition }) };
}

function conditionOf(fields: Fields): Condition {
  const etag = fields.textIf("etag");
  const ifRevision = fields.wholeIf("ifRevision");
  return { ...(etag === undefined ? {} : { etag }), ...(ifRevision === undefined ? {} : { ifRevision }) };
}

function attributesOf(fields: Fields, now: Date): Attributes {
  const time = fields.textIf("modifiedTime");
  const removeXattrs = fields.listIf("removeXattrs")?.map((name) => {
    if (typeof name !== "string") throw wrong(`${fields.place}.removeXattrs`, "must be names");
    return name;
  });
  const set = Object.entries(fields.objectIf("setXattrs") ?? {}).map(([name, value]): [string, Uint8Array] => {
    if (typeof value === "string") return [name, Buffer.from(value)];
    const inner = new Fields(value, `${fields.place}.setXattrs.${name}`);
    const bytes = bytesIf(inner);
    if (bytes === undefined) throw wrong(inner.place, 'needs "base64"');
    inner.end();
    return [name, bytes];
  });
  return {
    ...modeOf(fields),
    ...(time === undefined ? {} : { modifiedTime: timeOf(time, fields, now) }),
    ...(removeXattrs && { removeXattrs }),
    setXattrs: Object.fromEntries(set),
  };
}

function timeOf(text: string, fields: Fields, now: Date): Date {
  try {
    return parseWhen(text, now);
  } catch (error) {
    throw wrong(`${fields.place}.modifiedTime`, `is no time. ${(error as Error).message}`);
  }
}

function modeOf(fields: Fields): { mode?: number } {
  const mode = fields.modeIf("mode");
  return mode === undefined ? {} : { mode };
}

function pathOf(fields: Fields, name: string): string {
  return filePath(fields.text(name));
}

/** One of "text", "base64" and "file". */
async function contentOf(fields: Fields, dir: string): Promise<Uint8Array> {
  const file = fields.textIf("file");
  const bytes = bytesIf(fields);
  if ((file === undefined) === (bytes === undefined)) {
    throw wrong(fields.place, 'needs its content as one of "text", "base64" and "file"');
  }
  return bytes ?? readFile(path.resolve(dir, file!));
}

function bytesIf(fields: Fields): Uint8Array | undefined {
  const text = fields.textIf("text");
  const base64 = fields.textIf("base64");
  if (text !== undefined && base64 !== undefined) throw wrong(fields.place, 'has both "text" and "base64"');
  if (text !== undefined) return Buffer.from(text);
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, "base64");
  if (bytes.toString("base64") !== base64) throw wrong(`${fields.place}.base64`, "is not base64");
  return bytes;
}
