import assert from "node:assert/strict";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ulid } from "ulid";
import { FrameType } from "../../services/journal/frame.js";
import { JournalCorruptError, JournalReader, type Reading } from "../../services/journal/reader.js";
import { type Appended, JournalWriter } from "../../services/journal/writer.js";
import type { IncarnationId } from "../../services/model/operation.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { tampered } from "./core.js";

const MIB = 1024 * 1024;
const LIMITS = { segmentBytesMax: 16 * MIB, growBytes: MIB, reserveBytes: 4096, recordBytesMax: 2 * MIB };
const HEADER = 41;
const PAGE = 4096;

class Journal {
  private constructor(
    readonly volume: PosixVolume,
    readonly incarnation: IncarnationId,
    readonly writer: JournalWriter,
    /** Its first segment, to do damage to. */
    readonly file: FileHandle,
  ) {}

  static async begin(cleanup: Cleanup): Promise<Journal> {
    const root = await tempVolume(cleanup);
    const volume = await PosixVolume.open(root, "local", assert.fail);
    cleanup.defer(() => volume.close());
    await openFormat(volume);
    const incarnation = ulid() as IncarnationId;
    const writer = await JournalWriter.open(volume, incarnation, LIMITS, (error) => assert.fail(String(error)));
    cleanup.defer(() => writer.close());
    const file = await open(path.join(root, ".safefile/journal", incarnation, "00000001.log"), "r+");
    cleanup.defer(() => file.close());
    return new Journal(volume, incarnation, writer, file);
  }

  /** Records of these sizes, header included, that are flushed together. */
  group(...sizes: readonly number[]): Promise<Appended[]> {
    const payloads = sizes.map((size, at) => Buffer.alloc(size - HEADER, at + 1));
    return Promise.all(payloads.map((payload) => this.writer.append(FrameType.operation, payload)));
  }

  reader(reading: Reading): () => Promise<number> {
    const reader = new JournalReader(this.volume, this.incarnation, LIMITS.recordBytesMax, reading);
    return async () => {
      let frames = 0;
      for await (const each of reader.readOn()) frames += each.length;
      return frames;
    };
  }

  async bytes(from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    await this.file.read(bytes, 0, length, from);
    return bytes;
  }
}

test("I9: a group of which a power cut left a later page, but not an earlier one, is a torn tail (was: called corrupt, and the volume refused)", async (t) => {
  const journal = await Journal.begin(Cleanup.of(t));
  await journal.group(PAGE); // acknowledged
  const group = await journal.group(PAGE, PAGE, PAGE); // nobody was answered
  for (const lost of [group.slice(0, 1), group.slice(0, 2), group.slice(1, 2)]) {
    const whole = await journal.bytes(PAGE, 3 * PAGE);
    for (const { offset } of lost) await journal.file.write(Buffer.alloc(PAGE), 0, PAGE, offset);
    const first = (lost[0] as Appended).sequence;
    assert.equal(await journal.reader("strict")(), first - 1);
    await journal.file.write(whole, 0, whole.length, PAGE);
  }
});

test("I9: zeros over acknowledged records are corruption, however long they are (was: beyond a window of 1 MiB, a shorter journal)", async (t) => {
  const journal = await Journal.begin(Cleanup.of(t));
  const at: Appended[] = [];
  for (let n = 0; n < 90; n++) at.push(...(await journal.group(65_536)));
  for (const sizeBytes of [65_536, MIB + 65_536, 3 * MIB, 5 * MIB]) {
    const { offset } = at[2] as Appended;
    const whole = await journal.bytes(offset, sizeBytes);
    await journal.file.write(Buffer.alloc(sizeBytes), 0, sizeBytes, offset);
    await assert.rejects(journal.reader("strict")(), JournalCorruptError, `${sizeBytes} bytes`);
    await journal.file.write(whole, 0, sizeBytes, offset);
  }
  assert.equal(await journal.reader("strict")(), at.length);
});

test("a reader that follows a journal takes what is half written for not yet written, page by page in any order (was: called it corrupt, and lost its place for good)", async (t) => {
  const journal = await Journal.begin(Cleanup.of(t));
  await journal.group(700);
  const sizes = Array.from({ length: 40 }, (_, at) => 300 + 97 * at);
  const [first] = await journal.group(...sizes);
  await journal.group(900, 900); // vouches for the group before
  const start = (first as Appended).offset;
  const length = sizes.reduce((sum, size) => sum + size, 0) + 1800;
  const whole = await journal.bytes(start, length);
  const pages = Array.from({ length: Math.ceil(length / PAGE) }, (_, at) => at);
  const orders = [pages, pages.toReversed(), pages.toSorted((a, b) => ((a * 7) % 11) - ((b * 7) % 11))];
  for (const order of orders) {
    await journal.file.write(Buffer.alloc(length), 0, length, start);
    const read = journal.reader("following");
    let frames = await read();
    for (const page of order) {
      const bytes = whole.subarray(page * PAGE, (page + 1) * PAGE);
      await journal.file.write(bytes, 0, bytes.length, start + page * PAGE);
      frames += await read();
    }
    assert.equal(frames, 1 + sizes.length + 2);
  }
});

test("I9: a journal that is written on while it is read strictly is not corrupt (was: what came between two reads was held against it)", async (t) => {
  const journal = await Journal.begin(Cleanup.of(t));
  await journal.group(700, 700);
  let rounds = 0;
  // After each read of the tail two more groups come: the second vouches for the first.
  const { volume } = journal;
  const busy = tampered(volume, {
    openRead: async (real, name) => {
      const handle = await real.openRead(name);
      const read = handle.read.bind(handle);
      handle.read = async (into, position) => {
        const bytesRead = await read(into, position);
        if (++rounds > 6) return bytesRead;
        await journal.group(900);
        await journal.group(900);
        return bytesRead;
      };
      return handle;
    },
  });
  let frames = 0;
  const reader = new JournalReader(busy, journal.incarnation, LIMITS.recordBytesMax, "strict");
  for await (const each of reader.readOn()) frames += each.length;
  assert(rounds > 1);
  assert(frames >= 2, `${frames} frames`);
});
