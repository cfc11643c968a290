// The small parts of the config reader: durations, sizes, near names, places in TOML and in XML.

import { describe, expect, test } from "bun:test";
import { parse } from "smol-toml";
import { bytes, duration, durationText } from "../../src/config/settings/durations.ts";
import { editDistance, nearest } from "../../src/config/nearest.ts";
import { placesIn } from "../../src/config/place.ts";
import { TakenAddresses } from "../../src/config/rules/taken.ts";
import type { Rows } from "../../src/config/settings/setting.ts";
import { SECTIONS } from "../../src/config/settings/settings.ts";
import { referencedName } from "../../src/config/settings/special-values.ts";
import { mode } from "../../src/config/settings/values.ts";
import { findPlaces } from "../../src/config/toml/places.ts";
import { readXml } from "../../src/config/legacy/xml.ts";
import { parseAddress, type Address } from "../../src/sys/socket/address.ts";

describe("durations", () => {
  test.each([
    ["0s", 0],
    ["500ms", 500],
    ["5s", 5000],
    ["1m30s", 90_000],
    ["2h", 7_200_000],
    ["1d1h1m1s1ms", 90_061_001],
    ["24d", 2_073_600_000],
  ] as const)("%s", (text, ms) => {
    expect(duration().parse(text, "/")).toEqual({ ok: ms });
    expect(durationText(ms)).toBe(text);
  });

  test.each(
    ["", "s", "5 s", "-5s", "1.5s", "5S", "1s1m", "25d", 5, true, null, ["5s"]].map((raw) => [raw]),
  )("%p is none", (raw) => expect(duration().parse(raw, "/")).toHaveProperty("problem"));
});

test("sizes", () => {
  expect(["0", "4096", "64M", "1G", "2T"].map(bytes)).toEqual([
    0,
    4096,
    64 * 2 ** 20,
    2 ** 30,
    2 * 2 ** 40,
  ]);
  expect(["", "M", "64m", "64 M", "-1", "1.5M", "99999999999T"].map(bytes)).toEqual(
    new Array(7).fill(null),
  );
});

describe("near names", () => {
  test("slips of the pen are found, and nothing far-fetched", () => {
    const known = ["workers", "user", "max_requests"];
    expect(nearest("wrokers", known)).toBe("workers");
    expect(nearest("Max_Request", known)).toBe("max_requests");
    expect(nearest("stat", ["start", "status", "stop"])).toBe("status");
    expect(nearest("sta", ["start", "status"])).toBe(null);
    expect(nearest("zebra", known)).toBeNull();
  });
  test("a swap of neighbours is one step", () => {
    expect(editDistance("ab", "ba")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
  });
});

describe("places in TOML, as deep as settings lie", () => {
  const text = `# [a] comment
top = "x [b] # no comment" # [c]
[one."two.three"]
k = { a = 1, "b c" = [1, { d = 2 }], e.f = 3 }
multi = """
[not.a.table]
no = 1 \\""" still
"""
list = [ # comment ]
  "a", 'b',
  ["c"],
]
lit = '''it''s = 1'''
[[many]]
x = 1
[last]
é = 1979-05-27
`;
  const find = findPlaces("f", text);
  test.each([
    [["top"], 2, 1],
    [["one", "two.three"], 3, 6],
    [["one", "two.three", "k", "a"], 4, 7],
    [["one", "two.three", "k", "b c"], 4, 14],
    [["one", "two.three", "k", "b c", "1", "d"], 4, 14],
    [["one", "two.three", "k", "e"], 4, 38],
    [["one", "two.three", "multi"], 5, 1],
    [["one", "two.three", "list"], 9, 1],
    [["one", "two.three", "list", "1"], 9, 1],
    [["one", "two.three", "lit"], 13, 1],
    [["many", "x"], 15, 1],
    [["last", "é"], 17, 1],
    [["last", "nosuch"], 16, 2],
  ] as const)("%p stands in line %d, column %d", (path, line, column) => {
    expect(find(path)).toMatchObject({ file: "f", line, column });
  });
  test("what is written nowhere has no line", () => expect(find(["none"])).toEqual({ file: "f" }));
  test("it is TOML but for the bare é", () => {
    expect(Object.keys(parse(text.replace("é", '"é"')))).toEqual(["top", "one", "many", "last"]);
  });
});

test("the last line, an empty line, and a line too long to show", () => {
  const text = `a\n\n${"x".repeat(400)}\nend`;
  const at = placesIn("f", text);
  expect(at(0)).toEqual({ file: "f", line: 1, column: 1, text: "a" });
  expect(at(2)).toEqual({ file: "f", line: 2, column: 1, text: "" });
  expect(at(13)).toEqual({ file: "f", line: 3, column: 11 });
  expect(at(text.length - 1)).toEqual({ file: "f", line: 4, column: 3, text: "end" });
});

test("the XML walk keeps text, comments, CDATA and entities apart", () => {
  const root = readXml(
    "a.xml",
    `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "<x>'">]><a k = "1 > 0" l='&lt;&#65;'>t&amp;u<!-- <b> --><b/><![CDATA[<c>]]>&e;</a>`,
  );
  expect([...(root.attributes ?? [])]).toEqual([
    ["k", "1 > 0"],
    ["l", "<A"],
  ]);
  expect(root.children.map((child) => child.kind)).toEqual([
    "text",
    "comment",
    "element",
    "cdata",
    "entity",
  ]);
  expect(root.children[0]).toMatchObject({ text: "t&u" });
});

test("listeners overlap on the same port of the same or of all addresses", () => {
  const address = (text: string): Address => {
    const parsed = parseAddress(text, (path) => path);
    if ("ok" in parsed) return parsed.ok;
    throw new Error(parsed.problem);
  };
  const both = (a: string, b: string) => {
    const taken = new TakenAddresses<string>();
    expect(taken.take(address(a), a)).toBeUndefined();
    return taken.take(address(b), b) === a;
  };
  expect(both("9000", "127.0.0.1:9000")).toBe(true);
  expect(both("127.0.0.1:9000", "127.0.0.2:9000")).toBe(false);
  expect(both("[::1]:9000", "[0:0::1]:9000")).toBe(true);
  expect(both("[::1]:9000", "127.0.0.1:9000")).toBe(false);
  expect(both("/a.sock", "/a.sock")).toBe(true);
  expect(both("/a.sock", "9000")).toBe(false);
  expect(both("127.0.0.1:9000", "9000")).toBe(true);
  expect(both(":9000", "[::1]:9000")).toBe(true);
  expect(both("*:9000", "[::]:9000 ipv6only=on")).toBe(false);
  expect(both("9000", "[::]:9000 ipv6only=on")).toBe(true);
});

test("of several listeners in the way the first is named", () => {
  const taken = new TakenAddresses<number>();
  const hosts = ["127.0.0.1", "127.0.0.2", "0.0.0.0", "127.0.0.2", "127.0.0.3", "0.0.0.0"];
  const inTheWay = hosts.map((host, i) => taken.take({ kind: "inet", host, port: 9000 }, i));
  expect(inTheWay).toEqual([undefined, undefined, 0, 1, 2, 0]);
});

test("what is no address is told, with what was meant where that can be seen", () => {
  const said = (text: string) => {
    const parsed = parseAddress(text, (path) => path);
    return "ok" in parsed ? "ok" : `${parsed.problem}; ${parsed.hint}`;
  };
  expect(said("[::1]:9000 ipv6only=on")).toBe(
    '"::1" is one address, so it is IPv6 only; write "[::1]:9000"',
  );
  expect(said("127.0.0.1")).toBe('"127.0.0.1" has no port; write it as "127.0.0.1:9000"');
  expect(said("localhost")).toContain("has no port");
  expect(said("[::1]")).toBe('"[::1]" has no port; write it as "[::1]:9000"');
  expect(said("tcp://127.0.0.1:9000")).toContain("is a URL, not an address; examples:");
  expect(said("tcp:127.0.0.1:9000")).toContain("is not an address; examples:");
  expect(said("::1:9000")).toBe(
    '"::1:9000" is an IPv6 address without brackets; write it as "[::1]:9000"',
  );
  expect(said("[::ffff:127.0.0.1]:9000")).toBe(
    '"::ffff:127.0.0.1" is an IPv4 address in IPv6 form; write it as "127.0.0.1:9000"',
  );
  expect(["x.sock", "127.0.0.1/x", "unix:127.0.0.1", "[::ffff:1:2:3]:9"].map(said)).toEqual([
    "ok",
    "ok",
    "ok",
    "ok",
  ]);
});

test("a mode without quotes: the hint is what was meant", () => {
  const hint = (raw: number) => {
    const parsed = mode.parse(raw, "/");
    return "problem" in parsed ? parsed.hint : "ok";
  };
  const start = "write it in quotes, so that it is read as octal: ";
  expect(hint(660)).toBe(`${start}"0660"`);
  expect(hint(0o22)).toBe(`${start}"0022"`);
  expect(hint(0o660)).toBe(`${start}"0432", or "0660" if 0o660 was meant`);
  expect(hint(0o600)).toBe(`${start}"0600"`);
  expect(hint(-1)).toBe(`${start}"0660"`);
  expect(hint(5)).toBe(`${start}"0005"`);
});

test("$NAME counts as a whole value only", () => {
  expect(["$A", "$A_1", "$", "$1", "$A/b", "x$A", "A"].map(referencedName)).toEqual([
    "A",
    "A_1",
    null,
    null,
    null,
    null,
    null,
  ]);
});

describe("the settings table", () => {
  const rows = Object.entries(SECTIONS).flatMap(([section, table]) =>
    Object.entries(table as Rows).map(([name, row]) => ({ title: `${section} ${name}`, row })),
  );
  test.each(rows.map((r) => [r.title, r.row] as const))("%s: its example is sound", (_, row) => {
    const raw = parse(`x = ${row.example}`)["x"];
    const parsed = row.type.parse(raw, "/");
    expect(parsed).toHaveProperty("ok");
    expect(row.doc).toMatch(/^[\w.]+.* .*\.$/);
  });
  test.each(rows.map((r) => [r.title, r.row] as const))("%s: what it prints it reads", (_, row) => {
    const parsed = row.type.parse(parse(`x = ${row.example}`)["x"], "/");
    if (!("ok" in parsed)) throw new Error("its example is not sound");
    const again = parse(`x = ${row.type.print(parsed.ok)}`)["x"];
    expect(row.type.parse(again, "/")).toEqual(parsed);
  });
});
