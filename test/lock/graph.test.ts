import assert from "node:assert/strict";
import test from "node:test";
import type { State } from "../../services/lock/entry.js";
import { type WaitGraph, waitGraph } from "../../services/lock/graph.js";
import type { Line } from "../../services/lock/server.js";
import type { Target } from "../../services/lock/target.js";
import { normalised } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { randomFrom } from "../protocol/scheduler.js";
import { LockTable } from "./table.js";
import { reach, waitsOf } from "./truth.js";

interface Given {
  readonly party?: string;
  readonly rank?: number;
  readonly under?: string;
  readonly sinceMs?: number;
  readonly priority?: number;
}

/** `+` before a path is a shared target, `/` behind it a subtree. */
function target(text: string): Target {
  const path = text.replace(/^\+/, "").replace(/\/$/, "") as Target["path"];
  return { path, scope: text.endsWith("/") ? "subtree" : "path", mode: text.startsWith("+") ? "shared" : "exclusive" };
}

function line(id: string, state: State, paths: string, given: Given = {}): Line {
  const { party = "", rank = 0, under = "", sinceMs = 0, priority = 0 } = given;
  const owner = {
    ...{ party, name: "", incarnation: "", operation: "", traceId: "", spanId: "", isClientLock: false },
    ...{ priority, sinceMs },
  };
  const targets = normalised(paths.split(" ").map(target));
  return { entry: { id: id as LeaseId, targets, rank, under: under as LeaseId, owner }, state, remainingMs: 1000 };
}
const holds = (id: string, paths: string, given?: Given) => line(id, "holding", paths, given);
const waits = (id: string, paths: string, rank: number, given?: Given) =>
  line(id, "waiting", paths, { rank, sinceMs: rank, ...given });

const arrows = ({ edges }: WaitGraph) => edges.map(({ waiter, holder }) => `${waiter}>${holder}`);
const said = ({ circles }: WaitGraph) => circles.map(({ parties, victim }) => `${parties.join(">")}: ${victim}`);

test("two parties that each want what the other one holds are a circle, and the younger one gives way", () => {
  const graph = waitGraph([
    holds("1", "x", { party: "A", sinceMs: 10 }),
    holds("2", "y", { party: "B", sinceMs: 20 }),
    waits("3", "y", 30, { party: "A" }),
    waits("4", "x", 40, { party: "B" }),
  ]);
  assert.deepEqual(arrows(graph), ["A>B", "B>A"]);
  assert.deepEqual(said(graph), ["A>B: B"]);
  assert.deepEqual(graph.circles[0]?.entries, ["4"]);
  assert.deepEqual(
    graph.circles[0]?.waits.map(({ entry, target: { path }, isHeld }) => [entry, path, isHeld]),
    [
      ["3", "y", true],
      ["4", "x", true],
    ],
  );
  assert.deepEqual(
    graph.parties.map(({ id, sinceMs }) => [id, sinceMs]),
    [
      ["A", 10],
      ["B", 20],
    ],
  );
});

test("priority goes before age, age is that of the earliest entry, and ids decide between equals", () => {
  const circle = (one: Given, other: Given) =>
    said(
      waitGraph([
        holds("1", "x", { party: "A", ...one }),
        holds("2", "y", { party: "B", ...other }),
        waits("3", "y", 30, { party: "A", priority: one.priority ?? 0 }),
        waits("4", "x", 40, { party: "B", priority: other.priority ?? 0 }),
      ]),
    );
  assert.deepEqual(circle({ sinceMs: 1, priority: -1 }, { sinceMs: 2 }), ["A>B: A"]);
  assert.deepEqual(circle({ sinceMs: 2 }, { sinceMs: 1 }), ["A>B: A"]);
  assert.deepEqual(circle({ sinceMs: 2 }, { sinceMs: 2 }), ["A>B: B"]);
});

test("who waits in line is in the way as well: an operation that takes several paths may be part of a circle", () => {
  const graph = waitGraph([
    holds("1", "x", { party: "A", sinceMs: 1 }),
    waits("operation", "x y", 20),
    waits("3", "y", 30, { party: "A" }),
  ]);
  assert.deepEqual(arrows(graph), ["A>operation", "operation>A"]);
  assert.deepEqual(said(graph), ["A>operation: operation"]);
  assert.deepEqual(said(waitGraph([holds("1", "x", { party: "A" }), waits("operation", "x y", 20)])), []);
  const later = [holds("1", "x", { party: "A" }), waits("operation", "x y", 40), waits("3", "y", 30, { party: "A" })];
  assert.deepEqual(said(waitGraph(later)), [], "who comes later is in nobody's way");
});

test("who waits between two in a circle does not give way for them, and is shown in a circle that they break", () => {
  const graph = waitGraph([
    holds("1", "x", { party: "A", sinceMs: 1 }),
    holds("2", "y", { party: "B", sinceMs: 2 }),
    waits("3", "y", 10, { party: "A" }),
    waits("youngest", "x", 20, { priority: -100, sinceMs: 900 }),
    waits("4", "x", 30, { party: "B" }),
  ]);
  assert.deepEqual(said(graph), ["A>B: B", "A>B>youngest: B"]);
  assert.deepEqual(graph.circles[1]?.entries, ["4"], "and not its wait for somebody else");
});

test("nobody gives way in a circle that another one breaks by giving way", () => {
  const graph = waitGraph([
    holds("1", "x z", { party: "A", sinceMs: 1 }),
    holds("2", "y", { party: "B", sinceMs: 2 }),
    holds("3", "w", { party: "C", sinceMs: 900 }),
    waits("4", "y", 10, { party: "A" }),
    waits("5", "w x", 20, { party: "B" }),
    waits("6", "z", 30, { party: "C", sinceMs: 901 }),
  ]);
  assert.deepEqual(said(graph), ["A>B: B", "A>B>C: B"]);
});

test("a party does not wait for itself, nor are parties that only wait a circle", () => {
  assert.deepEqual(arrows(waitGraph([holds("1", "x", { party: "A" }), waits("2", "x", 5, { party: "A" })])), []);
  const graph = waitGraph([
    holds("0", "x", { party: "C" }),
    holds("9", "y", { party: "A" }),
    waits("8", "y", 1, { party: "D" }),
    waits("1", "x", 1, { party: "A" }),
    waits("2", "x", 2, { party: "B" }),
    waits("3", "x", 3, { party: "A" }),
  ]);
  assert.deepEqual(said(graph), []);
});

test("what acts under a lock waits for the lock's party, and passes by those who wait", () => {
  const graph = waitGraph([
    holds("lock", "x", { party: "A", sinceMs: 1 }),
    holds("2", "y", { party: "B", sinceMs: 2 }),
    waits("9", "y", 3, { party: "C" }),
    waits("operation", "x y", 1, { under: "lock", sinceMs: 40 }),
    waits("4", "x", 30, { party: "B" }),
  ]);
  assert.deepEqual(arrows(graph), ["A>B", "B>A", "C>A", "C>B"]);
  assert.deepEqual(said(graph), ["A>B: B"]);
});

test("shared targets go together, and subtrees meet what is below them", () => {
  const graph = waitGraph([
    holds("1", "+d/x", { party: "A", sinceMs: 1 }),
    holds("2", "+d/x", { party: "B", sinceMs: 2 }),
    waits("3", "d/", 10, { party: "A" }),
    waits("4", "+d/y", 20, { party: "B" }),
  ]);
  assert.deepEqual(arrows(graph), ["A>B", "B>A"]);
  assert.deepEqual(said(graph), ["A>B: B"]);
  assert.equal(graph.circles[0]?.waits[1]?.isHeld, false);
});

/** Books as they may be: whoever is not in the way of those before it holds, the others wait. */
function randomLines(random: () => number): Line[] {
  const table = new LockTable();
  const names = ["a", "b", "c", "d", "d/x", "d/y", "d/x/z", ""];
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const count = 3 + Math.floor(random() * 18);
  for (let at = 0; at < count; at++) {
    const wanted = Array.from({ length: random() < 0.6 ? 1 : 2 }, () => {
      const path = pick(names);
      return `${random() < 0.25 ? "+" : ""}${path}${path === "" || random() < 0.25 ? "/" : ""}`;
    });
    const held = [...table.list()].filter(({ state }) => state === "holding");
    const party = random() < 0.7 ? `P${Math.floor(random() * 6)}` : "";
    const under = party === "" && held.length > 0 && random() < 0.3 ? pick(held).entry.id : "";
    const rank = under === "" ? 1 + Math.floor(random() * 30) : 1;
    const priority = Math.floor(random() * 3);
    const { entry } = line(`e${at}`, "waiting", wanted.join(" "), { party, under, rank, priority, sinceMs: at });
    if (entry.targets.length > 0) table.request(entry);
  }
  return [...table.list()].map(({ entry, state }) => ({ entry, state, remainingMs: 1000 }));
}

const isStep = (parties: readonly string[], at: number, from: string, to: string): boolean =>
  parties[at] === from && parties[(at + 1) % parties.length] === to;

const RANDOM = 3000;
test(`${RANDOM} random books: edges reach whom the rule reaches, circles are real, cover all and are all broken`, () => {
  let circular = 0;
  for (let seed = 1; seed <= RANDOM; seed++) {
    const random = randomFrom(seed);
    const lines = randomLines(random);
    const graph = waitGraph(lines);
    const edges = waitsOf(lines);
    const about = `seed ${seed}`;
    const own = graph.edges.map(({ waiter, holder }) => ({ from: waiter, to: holder }));
    const shuffled = lines.toSorted(() => random() - 0.5);
    assert.deepEqual(waitGraph(shuffled), graph, `${about}: the order of lines does not matter`);
    for (const { id } of graph.parties) assert.deepEqual(reach(own, id), reach(edges, id), `${about}: from ${id}`);
    for (const { from, to, isHeld } of edges)
      if (isHeld)
        assert(
          graph.edges.some((edge) => edge.waiter === from && edge.holder === to && edge.isHeld),
          `${about}: held`,
        );
    let left = edges;
    const covered = new Set<string>();
    for (const { parties, waits: why, victim, entries } of graph.circles) {
      assert.equal(new Set(parties).size, parties.length, `${about}: each once`);
      assert(
        parties.some((_, at) => edges.some(({ from, to, isHeld }) => isHeld && isStep(parties, at, from, to))),
        `${about}: somebody holds something`,
      );
      for (const [at, from] of parties.entries()) {
        covered.add(from);
        const to = parties[(at + 1) % parties.length];
        assert(
          edges.some((edge) => edge.from === from && edge.to === to && edge.entry === why[at]?.entry),
          `${about}: ${from} waits for ${to}`,
        );
        assert.deepEqual([why[at]?.waiter, why[at]?.holder], [from, to]);
      }
      assert(parties.includes(victim));
      const next = parties[(parties.indexOf(victim) + 1) % parties.length];
      const keeping = new Set(edges.filter(({ from, to }) => from === victim && to === next).map(({ entry }) => entry));
      assert.deepEqual(new Set(entries), keeping, `${about}: what ${victim} gives up`);
      left = left.filter(({ entry }) => !entries.includes(entry));
    }
    const isCircle = (among: typeof edges, { from, to, isHeld }: (typeof edges)[number]) =>
      isHeld && reach(among, to).has(from);
    assert(!left.some((edge) => isCircle(left, edge)), `${about}: no circle is left when the victims have given way`);
    for (const edge of edges.filter((each) => isCircle(edges, each)))
      for (const id of [edge.from, edge.to]) assert(covered.has(id), `${about}: ${id} is in a circle that is shown`);
    if (graph.circles.length > 0) circular += 1;
  }
  assert(circular > RANDOM / 10, `${circular} had circles`);
});

test("a thousand who wait cost little, on one path or on a thousand, in a circle or not", (t) => {
  const measured = (what: string, lines: readonly Line[], circles: number) => {
    const fromMs = performance.now();
    const graph = waitGraph(lines);
    t.diagnostic(`${what}: ${(performance.now() - fromMs).toFixed(1)} ms, ${graph.edges.length} edges`);
    assert.equal(graph.circles.length, circles, what);
    return graph.edges.length;
  };
  const many = Array.from({ length: 1000 }, (_, at) => at);
  const apart = many.flatMap((at) => [holds(`h${at}`, `p${at}`), waits(`w${at}`, `p${at}`, at + 1)]);
  assert.equal(measured("a path each", apart, 0), 1000);
  const queue = many.map((at) => waits(`w${at}`, "hot", at + 2));
  assert.equal(measured("one path", [holds("h", "hot"), ...queue], 0), 1999);
  const knot = [
    holds("1", "hot", { party: "A" }),
    holds("2", "y", { party: "B" }),
    waits("3", "y", 1, { party: "A" }),
    ...queue,
    waits("4", "hot", 5000, { party: "B" }),
  ];
  measured("a circle around them", knot, 1001);
  const pairs = many.flatMap((at) => [
    holds(`x${at}`, `x${at}`, { party: `A${at}` }),
    holds(`y${at}`, `y${at}`, { party: `B${at}` }),
    waits(`wx${at}`, `y${at}`, 1, { party: `A${at}` }),
    waits(`wy${at}`, `x${at}`, 2, { party: `B${at}` }),
  ]);
  measured("a thousand circles", pairs, 1000);
  const ring = many.flatMap((at) => [
    holds(`h${at}`, `p${at}`, { party: `R${at}` }),
    waits(`w${at}`, `p${(at + 1) % 1000}`, 1, { party: `R${at}` }),
  ]);
  measured("one large circle", ring, 1);
});
