import { DirectoryInode, FileInode, Inode, type Rights } from "./inode.js";

export const failure = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code });

/**
 * What a power cut leaves of names that were not synced. `ordered`: all changes of names are in one order, as in the
 * journal of ext4 and XFS, and a beginning of it survives. `loose`: each directory keeps a beginning of its own, so a
 * rename between two may leave both names or neither, which POSIX allows.
 */
export type Flavour = "ordered" | "loose";

/** A change of a name in the live tree, told to whoever watches. */
export interface LiveChange {
  readonly path: string;
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
  /** Where a rename or link came from. */
  readonly source: string | undefined;
}

/** A place where something is, or could be. */
export interface Place {
  readonly directory: DirectoryInode;
  readonly name: string;
}

interface Entry extends Place {
  readonly inode: Inode | undefined;
}

const ROOT_RIGHTS: Rights = { mode: 0o755, uid: 0, gid: 0, xattrs: {} };
const DEVICE = 7n;
const BATON = /^[0-9a-f]{40}\.\d/;

/** A file system in memory that knows what of it would outlive a power cut. All calls are over at once. */
export class FakeDisk {
  readonly device = DEVICE;
  readonly root: DirectoryInode;
  readonly control: DirectoryInode;
  /** Nothing more can be allocated. */
  isFull = false;
  onLiveChange: (change: LiveChange) => void = () => undefined;
  /** Told the new name of each baton. */
  onBaton: (name: string) => void = () => undefined;
  /** The changes of names that are not durable yet; one array is one call, and all or nothing when ordered. */
  private log: Entry[][] = [];
  private lastInode = 1n;
  private lastNs = 0n;

  constructor(
    readonly flavour: Flavour,
    private readonly nowMs: () => number,
  ) {
    this.root = new DirectoryInode(this.lastInode, ROOT_RIGHTS, this.nowNs(), false);
    this.root.links = 2;
    this.control = this.makeDirectory({ directory: this.root, name: ".safefile" }, 0o700, true);
    this.syncAll();
  }

  /** Later than any time given out before. */
  nowNs(): bigint {
    const nowNs = BigInt(Math.floor(this.nowMs())) * 1_000_000n;
    this.lastNs = nowNs > this.lastNs ? nowNs : this.lastNs + 1n;
    return this.lastNs;
  }

  private allocate(): bigint {
    if (this.isFull) throw failure("ENOSPC", "no space left");
    this.lastInode += 1n;
    return this.lastInode;
  }

  find({ directory, name }: Place): Inode | undefined {
    if (directory.removed) return undefined;
    return name === "." ? directory : directory.entries.get(name);
  }

  need(place: Place, what: string): Inode {
    const found = this.find(place);
    if (!found) throw failure("ENOENT", `${what} ${place.name}`);
    return found;
  }

  /** The directory that `names` lead to from `from`. */
  walk(from: DirectoryInode, names: readonly string[]): DirectoryInode {
    let at = from;
    for (const name of names) {
      const next = this.need({ directory: at, name }, "open");
      if (!(next instanceof DirectoryInode)) throw failure("ENOTDIR", `open ${name}`);
      at = next;
    }
    return at;
  }

  private change(source: string | undefined, ...entries: Entry[]): void {
    const nowNs = this.nowNs();
    for (const { directory, name, inode } of entries) {
      const before = directory.entries.get(name);
      if (inode) directory.entries.set(name, inode);
      else directory.entries.delete(name);
      if (inode instanceof DirectoryInode) {
        inode.parent = directory;
        inode.name = name;
      }
      directory.mtimeNs = nowNs;
      directory.ctimeNs = nowNs;
      if (!directory.isControl) {
        const path = directory.path === "" ? name : `${directory.path}/${name}`;
        this.onLiveChange({ path, before, after: inode, source });
      } else if (inode && BATON.test(name)) this.onBaton(name);
    }
    this.log.push(entries);
  }

  private mustBeFree(place: Place, what: string): void {
    if (place.directory.removed) throw failure("ENOENT", `${what} ${place.name}`);
    if (this.find(place)) throw failure("EEXIST", `${what} ${place.name}`);
  }

  add(place: Place, inode: Inode, what: string): void {
    this.mustBeFree(place, what);
    inode.links = 1;
    this.change(undefined, { ...place, inode });
  }

  createFile(place: Place, mode: number): FileInode {
    this.mustBeFree(place, "create");
    const file = new FileInode(this.allocate(), "file", { ...ROOT_RIGHTS, mode }, this.nowNs());
    this.add(place, file, "create");
    return file;
  }

  /** A symlink, or something that is neither file nor directory. */
  createOther(place: Place, type: "symlink" | "other"): void {
    this.mustBeFree(place, "create");
    this.add(place, new Inode(this.allocate(), type, { ...ROOT_RIGHTS, mode: 0o777 }, this.nowNs()), "create");
  }

  makeDirectory(place: Place, mode: number, isControl = place.directory.isControl): DirectoryInode {
    this.mustBeFree(place, "mkdir");
    const made = new DirectoryInode(this.allocate(), { ...ROOT_RIGHTS, mode }, this.nowNs(), isControl);
    this.change(undefined, { ...place, inode: made });
    made.links = 2;
    place.directory.links += 1;
    return made;
  }

  rename(from: Place, to: Place): void {
    const inode = this.need(from, "rename");
    if (to.directory.removed) throw failure("ENOENT", `rename to ${to.name}`);
    const replaced = this.find(to);
    if (replaced === inode) return;
    if (inode instanceof DirectoryInode) {
      for (let at: DirectoryInode | undefined = to.directory; at; at = at.parent)
        if (at === inode) throw failure("EINVAL", `rename ${from.name} into itself`);
      if (replaced && !(replaced instanceof DirectoryInode)) throw failure("ENOTDIR", `rename to ${to.name}`);
      if (replaced && replaced.entries.size > 0) throw failure("ENOTEMPTY", `rename to ${to.name}`);
    } else if (replaced instanceof DirectoryInode) throw failure("EISDIR", `rename to ${to.name}`);
    const source = `${from.directory.path}/${from.name}`;
    this.change(source, { ...from, inode: undefined }, { ...to, inode });
    inode.ctimeNs = this.nowNs();
    if (inode instanceof DirectoryInode) {
      from.directory.links -= 1;
      to.directory.links += 1;
    }
    if (replaced) this.lost(replaced, to.directory);
  }

  private lost(inode: Inode, directory: DirectoryInode): void {
    inode.links -= 1;
    inode.ctimeNs = this.nowNs();
    if (!(inode instanceof DirectoryInode)) return;
    inode.links = 0;
    inode.removed = true;
    directory.links -= 1;
  }

  link(from: Place, to: Place): void {
    const inode = this.need(from, "link");
    this.mustBeFree(to, "link");
    if (inode instanceof DirectoryInode) throw failure("EPERM", `link ${from.name}`);
    if (this.isFull) throw failure("ENOSPC", "no space left");
    inode.links += 1;
    inode.ctimeNs = this.nowNs();
    this.change(`${from.directory.path}/${from.name}`, { ...to, inode });
  }

  unlink(place: Place): void {
    const inode = this.need(place, "unlink");
    if (inode instanceof DirectoryInode) throw failure("EISDIR", `unlink ${place.name}`);
    this.change(undefined, { ...place, inode: undefined });
    this.lost(inode, place.directory);
  }

  removeDirectory(place: Place): void {
    const inode = this.need(place, "rmdir");
    if (!(inode instanceof DirectoryInode)) throw failure("ENOTDIR", `rmdir ${place.name}`);
    if (inode.entries.size > 0) throw failure("ENOTEMPTY", `rmdir ${place.name}`);
    this.change(undefined, { ...place, inode: undefined });
    this.lost(inode, place.directory);
  }

  /** The names in `directory` are durable; when ordered, with everything that was done before. */
  syncDirectory(directory: DirectoryInode): void {
    const isSynced = (entry: Entry): boolean => this.flavour === "ordered" || entry.directory === directory;
    this.settle((entries) => entries.filter(isSynced));
    directory.durableRights = directory.rights;
  }

  syncAll(): void {
    this.settle((entries) => entries);
    const sync = (inode: Inode): void => {
      if (inode instanceof FileInode) inode.sync();
      if (inode instanceof DirectoryInode) for (const each of inode.entries.values()) sync(each);
    };
    sync(this.root);
  }

  /** Makes durable what `choose` takes of each call, oldest first. */
  private settle(choose: (entries: Entry[]) => Entry[]): void {
    const rest: Entry[][] = [];
    for (const entries of this.log) {
      const chosen = choose(entries);
      for (const { directory, name, inode } of chosen) {
        if (inode) directory.durableEntries.set(name, inode);
        else directory.durableEntries.delete(name);
      }
      const left = entries.filter((entry) => !chosen.includes(entry));
      if (left.length > 0) rest.push(left);
    }
    this.log = rest;
  }

  /** What is found after the power went; this disk is not to be used any more. `keepsNames`: a server kept them all. */
  powerCut(random: () => number, keepsNames = false): FakeDisk {
    const share = (): number => {
      const draw = random();
      return draw < 0.3 ? 0 : draw < 0.6 || keepsNames ? 1 : random();
    };
    if (keepsNames) this.settle((entries) => entries);
    else if (this.flavour === "ordered") {
      const until = Math.round(share() * this.log.length);
      const kept = new Set(this.log.slice(0, until));
      this.settle((entries) => (kept.has(entries) ? entries : []));
    } else {
      const left = new Map<DirectoryInode, number>();
      for (const { directory } of this.log.flat()) left.set(directory, (left.get(directory) ?? 0) + 1);
      for (const [directory, count] of left) left.set(directory, Math.round(share() * count));
      this.settle((entries) =>
        entries.filter(({ directory }) => {
          const rest = left.get(directory) ?? 0;
          left.set(directory, rest - 1);
          return rest > 0;
        }),
      );
    }
    const after = new FakeDisk(this.flavour, this.nowMs);
    after.lastInode = this.lastInode;
    after.lastNs = this.lastNs;
    const copies = new Map<Inode, Inode>();
    const copyInto = (from: DirectoryInode, to: DirectoryInode): void => {
      copies.set(from, to);
      for (const [name, inode] of from.durableEntries) {
        if (inode instanceof DirectoryInode) {
          if (copies.has(inode)) continue; // a directory has one name; fsck removes the second
          const made = inode === this.control ? after.control : after.makeDirectory({ directory: to, name }, 0o700);
          made.rights = inode.durableRights;
          copyInto(inode, made);
          continue;
        }
        const known = copies.get(inode);
        const copy = known ?? survivorOf(inode, random);
        copies.set(inode, copy);
        copy.links += 1;
        to.entries.set(name, copy);
        after.log.push([{ directory: to, name, inode: copy }]);
      }
    };
    copyInto(this.root, after.root);
    after.syncAll();
    return after;
  }
}

function survivorOf(inode: Inode, random: () => number): Inode {
  const rights = random() < 0.5 ? inode.rights : inode.durableRights;
  if (!(inode instanceof FileInode)) return new Inode(inode.number, inode.type, rights, inode.mtimeNs);
  const copy = new FileInode(inode.number, "file", rights, random() < 0.5 ? inode.mtimeNs : inode.ctimeNs);
  copy.restoreAs(inode.survivor(random));
  return copy;
}
