import { describe, expect, test } from "vitest";
import { dateText, differenceText } from "../src/datetime";
import { type Leaf, leaves, parseDType, type Scalar } from "../src/dtype";
import { NAT, numbers, PARTS } from "../src/elements";
import { elementText } from "../src/text";
import expected from "./expected.json";

describe("numbers of every dtype are those of NumPy", () => {
  for (const { dtype: text, bytes: hex, values } of expected.scalars) {
    test(text, () => {
      const dtype = parseDType(text) as Scalar;
      const bytes = fromHex(hex);
      const found = numbers(bytes, dtype.itemsize, { path: "", offset: 0, dtype }, "real");
      expect(Array.from(found, plain)).toEqual(values.map(x => plain(fromJson(x))));
    });
  }
});

describe("texts are the shortest that read back", () => {
  for (const { dtype: text, bytes: hex, texts } of expected.scalars) {
    if (!texts) continue;
    test(text, () => {
      const dtype = parseDType(text);
      const bytes = fromHex(hex);
      const found = texts.map((_, i) => elementText(bytes, i * dtype.itemsize, dtype));
      expect(found.map(digits)).toEqual(texts.map(digits));
    });
  }
});

describe("dates are written as NumPy writes them", () => {
  for (const { dtype: text, ticks, texts } of expected.dates) {
    test(text, () => {
      const dtype = parseDType(text) as Scalar;
      expect(ticks.map(tick => dateText(BigInt(tick), dtype))).toEqual(texts);
      expect(dateText(NAT, dtype)).toBe("NaT");
    });
  }
});

describe("parts of complex numbers are those of NumPy", () => {
  for (const each of expected.complexes) {
    test(each.dtype, () => {
      const dtype = parseDType(each.dtype) as Scalar;
      for (const part of PARTS) {
        const found = numbers(fromHex(each.bytes), dtype.itemsize, leaf(dtype), part);
        for (const [i, value] of each[part].entries()) expect(found[i]).toBeCloseTo(value, 6);
      }
    });
  }
});

test("a view that is not aligned is read", () => {
  const bytes = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]).subarray(1);
  const dtype = parseDType("<f8") as Scalar;
  expect(Array.from(numbers(bytes, 8, leaf(dtype), "real"))).toEqual([1]);
});

test("a field is read where it is", () => {
  const dtype = parseDType("[('a', '<i2'), ('p', [('x', '>u2')]), ('q', '|i1', (2,))]");
  const bytes = new Uint8Array([1, 0, 0, 2, 3, 4, 5, 0, 0, 6, 0xff, 8]);
  const read = (path: string) => {
    const found = leaves(dtype).find(each => each.path === path)!;
    return Array.from(numbers(bytes, dtype.itemsize, found, "real"));
  };
  expect(read("a")).toEqual([1, 5]);
  expect(read("p.x")).toEqual([2, 6]);
  expect(read("q[0]")).toEqual([3, -1]);
  expect(elementText(bytes, 0, dtype)).toBe("(1, (2,), [3, 4])");
});

test("dates that are not are no numbers", () => {
  const bytes = new Uint8Array(new BigInt64Array([NAT, 5n]).buffer);
  const dtype = parseDType("<M8[D]") as Scalar;
  expect(Array.from(numbers(bytes, 8, leaf(dtype), "real"))).toEqual([Number.NaN, 5]);
});

test("differences have their unit", () => {
  expect(differenceText(3n, parseDType("<m8[25s]") as Scalar)).toBe("75 seconds");
  expect(differenceText(NAT, parseDType("<m8[s]") as Scalar)).toBe("NaT");
  expect(differenceText(-2n, parseDType("<m8") as Scalar)).toBe("-2 generic units");
});

test("strings are quoted, and bytes shown", () => {
  expect(elementText(new Uint8Array([97, 39, 10, 0]), 0, parseDType("|S4"))).toBe("b'a\\'\\x0a'");
  const letters = new Uint8Array(new Uint32Array([0xe9, 0x1f600, 0]).buffer);
  expect(elementText(letters, 0, parseDType("<U3"))).toBe("'é😀'");
  expect(elementText(new Uint8Array([0, 255]), 0, parseDType("|V2"))).toBe("00ff");
  expect(elementText(new Uint8Array([1]), 0, parseDType("|b1"))).toBe("True");
});

test("complex numbers have both parts", () => {
  const bytes = new Uint8Array(new Float64Array([1.5, -2]).buffer);
  expect(elementText(bytes, 0, parseDType("<c16"))).toBe("1.5-2.0j");
});

function leaf(dtype: Scalar): Leaf {
  return { path: "", offset: 0, dtype };
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], byte => Number.parseInt(byte, 16));
}

function fromJson(value: number | string): number {
  if (typeof value === "number") return value;
  return Number(value.replace("inf", "Infinity").replace("nan", "NaN"));
}

/** A number that `toEqual` tells from all others. */
function plain(value: number): string {
  return Object.is(value, -0) ? "-0" : `${value}`;
}

/** The digits and the power of ten that a text says. */
function digits(text: string): string {
  const match = /^(-?)(\d+)\.?(\d*)(?:e([+-]?\d+))?$/.exec(text);
  if (!match) return text;
  const [, sign, whole, fraction, exponent] = match;
  const all = whole! + fraction!;
  const first = all.search(/[1-9]/);
  if (first < 0) return `${sign}0`;
  const power = Number(exponent ?? 0) + whole!.length - first;
  return `${sign}${all.slice(first).replace(/0+$/, "")} ${power}`;
}
