import { expect, test } from "vitest";
import { leaves, parseDType, type Struct } from "../src/dtype";
import { parseLiteral, Tuple } from "../src/literal";

test("scalars are known by kind, size and byte order", () => {
  expect(parseDType(">u2")).toMatchObject({ code: "u", itemsize: 2, little: false });
  expect(parseDType("<U5")).toMatchObject({ code: "U", itemsize: 20 });
  expect(parseDType("|S0")).toMatchObject({ code: "S", itemsize: 0 });
  expect(parseDType("<M8[25s]")).toMatchObject({ code: "M", unit: "s", count: 25 });
  expect(parseDType("<m8")).toMatchObject({ code: "m", unit: "", count: 1 });
  expect(parseDType(">bfloat16")).toMatchObject({ code: "e", name: "bfloat16", little: false });
  expect(parseDType("int4")).toMatchObject({ code: "e", itemsize: 1 });
});

test("what is not known is said", () => {
  expect(() => parseDType("|O")).toThrow("does not know");
  expect(() => parseDType("<q8")).toThrow();
  expect(() => parseDType("[('a'")).toThrow();
});

test("structs have offsets, gaps, titles and sub-arrays", () => {
  const text =
    "[(('title', 'a'), '<i4'), ('', '|V4'), ('b', [('é', '|S2')], (2, 2)), ('c', '>f8')]";
  const dtype = parseDType(text) as Struct;
  expect(dtype.fields.map(field => [field.name, field.offset])).toEqual([
    ["a", 0],
    ["b", 8],
    ["c", 16],
  ]);
  expect(dtype.itemsize).toBe(24);
  expect(dtype.fields[1]!.dtype).toMatchObject({ kind: "subarray", shape: [2, 2], itemsize: 8 });
});

test("structs with offsets of their own are read", () => {
  const dtype = parseDType(
    "{'names': ['b', 'a'], 'formats': ['<i4', 'bfloat16'], 'offsets': [4, 0], 'itemsize': 8}",
  ) as Struct;
  expect(dtype.itemsize).toBe(8);
  expect(dtype.fields.map(field => [field.name, field.offset])).toEqual([
    ["b", 4],
    ["a", 0],
  ]);
});

test("numbers within a struct have paths", () => {
  const dtype = parseDType("[('n', '<U2'), ('p', [('x', '<f4')]), ('rgb', '|u1', (3,))]");
  expect(leaves(dtype).map(leaf => [leaf.path, leaf.offset])).toEqual([
    ["p.x", 8],
    ["rgb[0]", 12],
    ["rgb[1]", 13],
    ["rgb[2]", 14],
  ]);
});

test("a sub-array of many numbers gives some of them", () => {
  expect(leaves(parseDType("[('v', '<f4', (1000, 1000))]"))).toHaveLength(200);
});

test("literals of Python are read", () => {
  expect(parseLiteral("'a\\'b\\xe9\\n'")).toBe("a'bé\n");
  expect(parseLiteral('"\\U0001f600"')).toBe("😀");
  expect(parseLiteral("(1)")).toBe(1);
  expect(parseLiteral("(1,)")).toEqual(new Tuple([1]));
  expect(parseLiteral("()")).toEqual(new Tuple([]));
  expect(parseLiteral("[True, None, -3, ]")).toEqual([true, null, -3]);
  expect(parseLiteral("{'a': [1], }")).toEqual(new Map([["a", [1]]]));
  for (const wrong of ["", "[1", "1 2", "'a", "{1: 2}", "'\\xg0'"]) {
    expect(() => parseLiteral(wrong)).toThrow();
  }
});
