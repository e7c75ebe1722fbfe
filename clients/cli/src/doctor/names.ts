import { type Check, codeOf, fail, ok, warn } from "./check.js";
import { exists } from "./rename.js";

const RIVALS = 8;
const ROUNDS = 25;
const NFC = "é".normalize("NFC");
const NFD = "é".normalize("NFD");

/** O_EXCL makes a name once. */
export const createExclusive: Check = {
  name: "create-exclusive",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const make = async (file: string) => (await disk.open(file, "wx")).close();
    await make(scratch.at(this.name, "taken"));
    const again = await codeOf(make(scratch.at(this.name, "taken")));
    let doubled = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const rivals = Array.from({ length: RIVALS }, () => codeOf(make(scratch.at(this.name, `race-${round}`))));
      const winners = (await Promise.all(rivals)).filter((code) => code === "no error").length;
      if (winners !== 1) doubled++;
    }
    const seen = `name taken: ${again}; ${ROUNDS} races of ${RIVALS}: ${doubled} without exactly one winner`;
    return again === "EEXIST" && doubled === 0
      ? ok(seen, "A staged name and a first baton are made by exactly one replica.")
      : fail(seen, "Two replicas could stage under one name and mix their bytes: this cannot be a volume.");
  },
};

/** link(2) refuses a name that exists, and the count of links shows. */
export const linkExclusive: Check = {
  name: "link",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const [first, second, other] = ["first", "second", "other"].map((name) => scratch.at(this.name, name));
    await disk.writeFile(first!, "first");
    await disk.writeFile(other!, "other");
    const made = await codeOf(disk.link(first!, second!));
    if (made !== "no error") {
      return fail(`link: ${made}`, "Uploads and new files are published by links: this cannot be a volume.");
    }
    const refused = await codeOf(disk.link(other!, second!));
    const content = await disk.readFile(second!, "utf8");
    const { nlink, ino } = await disk.stat(first!, { bigint: true });
    const same = (await disk.stat(second!, { bigint: true })).ino === ino;
    const seen = `name taken: ${refused}; ${nlink} links, ${same ? "one inode" : "different inodes"}`;
    if (refused !== "EEXIST" || content !== "first") {
      return fail(seen, "A finished upload could replace a name that is not its own: this cannot be a volume.");
    }
    return nlink === 2n && same
      ? ok(
          seen,
          "A new file is published by a link that replaces nothing, and a published create is told from a stopped one.",
        )
      : fail(seen, "Files with other names outside would be taken for unshared and kept wrongly (I4).");
  },
};

/** `a` and `A` are two names. */
export const caseSensitive: Check = {
  name: "case-sensitive",
  async run(scratch) {
    await scratch.room(this.name);
    await scratch.disk.writeFile(scratch.at(this.name, "name"), "");
    return (await exists(scratch, scratch.at(this.name, "NAME")))
      ? fail("`name` is also found as `NAME`", "Two paths would be one file, with two locks and two histories (I13).")
      : ok("`name` is not found as `NAME`", "Each path is one file with one lock and one history.");
  },
};

/** Names come back as they were given, and composed and decomposed letters differ. */
export const unicodeNames: Check = {
  name: "unicode-names",
  async run(scratch) {
    await scratch.room(this.name);
    await scratch.disk.writeFile(scratch.at(this.name, NFC), "");
    const listed = await scratch.disk.readdir(scratch.at(this.name));
    if (listed.length !== 1 || listed[0] !== NFC) {
      const seen = `a name in NFC is listed as ${JSON.stringify(listed)}`;
      return fail(seen, "Files would not be listed under the path they were written to.");
    }
    return (await exists(scratch, scratch.at(this.name, NFD)))
      ? warn(
          "a name in NFC is also found in NFD",
          "The service refuses NFD, but programs beside it may spell one file in two ways.",
        )
      : ok(
          "NFC comes back as NFC and is not found as NFD",
          "The one spelling that the service takes is the one on disk.",
        );
  },
};

/** Permission bits are kept. */
export const modeBits: Check = {
  name: "mode-bits",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const file = scratch.at(this.name, "file");
    await disk.writeFile(file, "");
    const wrong: string[] = [];
    for (const mode of [0o640, 0o755, 0o444, 0o600]) {
      await disk.chmod(file, mode);
      const found = (await disk.stat(file)).mode & 0o777;
      if (found !== mode) wrong.push(`${mode.toString(8)} became ${found.toString(8)}`);
    }
    return wrong.length === 0
      ? ok("four modes set and found", "Modes are kept and restored with the content.")
      : fail(wrong.join(", "), "Every write would fail its verification, because the mode is not what was asked for.");
  },
};
