import { createHash } from "node:crypto";
import type { Position } from "../index/changes.js";

const VERSION = "1";
const GENERATION = /^[0-9A-Za-z/-]{1,120}$/;
const RUN = /^[0-9a-f]{0,40}$/;
const SEQUENCE = /^(0|[1-9][0-9]{0,15})$/;
/** Tells a token that was cut or mistyped from one of ours; it is no secret. */
const CHECK_DIGITS = 8;

const checkOf = (body: string): string => createHash("sha256").update(body).digest("hex").slice(0, CHECK_DIGITS);

/** What a watcher gives back to go on after `position`. Opaque to callers. */
export function toResumeToken({ generation, run, sequence }: Position): string {
  const body = [VERSION, generation, run, sequence].join(" ");
  return Buffer.from(`${body} ${checkOf(body)}`).toString("base64url");
}

/** undefined for whatever `toResumeToken` did not make. */
export function fromResumeToken(token: string): Position | undefined {
  const text = Buffer.from(token, "base64url").toString("latin1");
  const [version = "", generation = "", run = "", sequence = "", check = "", ...more] = text.split(" ");
  if (version !== VERSION || more.length > 0 || Buffer.from(text, "latin1").toString("base64url") !== token)
    return undefined;
  if (!GENERATION.test(generation) || !RUN.test(run) || !SEQUENCE.test(sequence)) return undefined;
  if (checkOf([version, generation, run, sequence].join(" ")) !== check) return undefined;
  return { generation, run, sequence: Number(sequence) };
}
