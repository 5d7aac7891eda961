import { describe, expect, test } from "vitest";
import {
  defaultIndex,
  indexOf,
  part,
  type Selection,
  select,
  shapeOf,
  toText,
} from "../src/index_text";
import expected from "./expected.json";

describe("an index takes what NumPy's takes", () => {
  for (const { shape, index, result, elements } of expected.indices) {
    test(`(${shape})[${index}]`, () => {
      if (!result && !bracketed(index)) {
        expect(() => select(index, shape)).toThrow();
        return;
      }
      if (!result) return;
      const selection = select(index, shape);
      expect(shapeOf(selection)).toEqual(result);
      expect(taken(selection)).toEqual(elements);
      const again = select(toText(selection), shape);
      expect(shapeOf(again)).toEqual(result);
      expect(taken(again)).toEqual(elements);
    });
  }
});

test("brackets around an index are let go", () => {
  expect(toText(select("[1, ::2]", [3, 5]))).toBe("1, 0:5:2");
});

test("the text is short where axes are whole", () => {
  expect(toText(select("...", [3, 4]))).toBe(":, :");
  expect(toText(select("1, 2:3", [3, 4]))).toBe("1, 2:3");
  expect(toText(select("", []))).toBe("...");
  expect(toText(select("::-1", [3]))).toBe("2::-1");
});

test("errors say what is wrong", () => {
  const error = (text: string) => {
    try {
      select(text, [5, 6]);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  expect(error("9")).toBe("index 9 is out of bounds for axis 0 with size 5");
  expect(error("0, -7")).toBe("index -7 is out of bounds for axis 1 with size 6");
  expect(error("1, 2, 3")).toBe("3 indices for an array of 2 dimensions");
  expect(error("::0")).toBe("slice step cannot be zero");
  expect(error("1,,2")).toBe("an index is missing between commas");
  expect(error("x")).toContain("`x` is no index");
});

test("a part of an axis keeps its steps", () => {
  const axis = select("10:0:-3", [20]).axes[0]!;
  expect(part(axis, 1, 2, 2)).toEqual({ axis: 0, start: 7, step: -6, length: 2 });
});

test("an element is named by all its indices", () => {
  const selection = select("3, None, 10::-2, ...", [5, 20, 6]);
  expect(indexOf(selection, [0, 2, 4])).toBe("[3, 6, 4]");
  expect(indexOf(selection, [0, 2])).toBe("[3, 6]");
});

test("two axes are shown first, of pictures three", () => {
  expect(defaultIndex([5], false)).toBe("...");
  expect(defaultIndex([5, 6, 7, 8], false)).toBe("0, 0, ...");
  expect(defaultIndex([5, 6, 3], true)).toBe("...");
  expect(defaultIndex([5, 6, 7, 3], true)).toBe("0, ...");
  expect(defaultIndex([0, 6, 7], false)).toBe("...");
});

/** An index within brackets is NumPy's list, and here the same without them. */
function bracketed(index: string): boolean {
  return index.startsWith("[");
}

/** The numbers of the elements in C order. */
function taken(selection: Selection): number[] {
  const { shape } = selection;
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const base = selection.fixed.reduce((at, { axis, index }) => at + index * strides[axis]!, 0);
  return selection.axes.reduce(
    (found, { axis, start, step, length }) =>
      found.flatMap(at =>
        Array.from({ length }, (_, i) => at + (axis < 0 ? 0 : (start + i * step) * strides[axis]!)),
      ),
    [base],
  );
}
