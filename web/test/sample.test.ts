import { expect, test } from "vitest";
import { decimate } from "../src/decimate";
import { select, shapeOf, toText } from "../src/index_text";
import { toC } from "../src/order";
import { corner, describe, sample, WHOLE } from "../src/sample";

test("what is small is read whole", () => {
  const all = select("...", [1024, 1024]);
  const found = sample(all, 8, false, true);
  expect(found).toMatchObject({ whole: true, nbytes: WHOLE, selection: all });
  expect(describe(found, all)).toBe("all 1,048,576 elements");
});

test("of 100 GB every so many elements are read", () => {
  const all = select("...", [12_500_000_000]);
  const found = sample(all, 8, false, true);
  expect(toText(found.selection)).toBe("0:12499246021:762940".replace("12499246021", stop(found)));
  expect(shapeOf(found.selection)).toEqual([16384]);
  expect(describe(found, all)).toBe("16,384 of 12,500,000,000 elements (every 762,940th)");
});

test("rows and columns are thinned apart", () => {
  const all = select("::-1, 5:", [2_000_000, 25]);
  const found = sample(all, 4, false, true);
  expect(found.steps).toEqual([489, 1]);
  expect(shapeOf(found.selection)).toEqual([4090, 20]);
  expect(found.selection.axes[0]).toMatchObject({ start: 1_999_999, step: -489 });
  expect(describe(found, all)).toBe("81,800 of 40,000,000 elements (every 489th row)");
});

test("of 100 GB in a plane less than a mebibyte is read", () => {
  const all = select("...", [125_000, 100_000]);
  const found = sample(all, 8, false, true);
  expect(found.nbytes).toBeLessThan(1 << 20);
  expect(found.steps).toEqual([489, 391]);
});

test("channels of a picture are never thinned", () => {
  const found = sample(select("...", [4000, 6000, 3]), 1, true, true);
  expect(found.steps).toEqual([8, 12, 1]);
  expect(describe(found, select("...", [4000, 6000, 3]))).toContain(
    "(every 8th row, every 12th column)",
  );
});

test("a sample of great elements is small too", () => {
  const all = select("...", [10_000, 10_000]);
  expect(sample(all, 1 << 20, false, true).nbytes).toBeLessThanOrEqual(WHOLE);
});

test("every element of a selection that is thinned lies within it", () => {
  for (const length of [8_388_609, 10_000_000, 16_777_217]) {
    const axis = sample(select("...", [length]), 1, false, true).selection.axes[0]!;
    expect(axis.start + axis.step * (axis.length - 1)).toBeLessThan(length);
  }
});

test("of much that is compressed the first elements are read", () => {
  const all = select("5:", [12_500_000_000]);
  const found = sample(all, 8, false, false);
  expect(toText(found.selection)).toBe("5:16389");
  expect(describe(found, all)).toBe(
    "the first 16,384 of 12,499,999,995 elements, which are compressed",
  );
  const some = select("...", [5000, 5000]);
  expect(sample(some, 8, false, false).steps).toEqual([10, 10]);
  expect(toText(sample(some, 80, false, false).selection)).toBe("0:256, 0:256");
});

test("nothing is called nothing", () => {
  const all = select("...", [0, 5]);
  expect(describe(sample(all, 8, false, true), all)).toBe("no elements");
});

test("a table shows the first rows and columns", () => {
  expect(toText(corner(select("::2, ::-1", [1000, 50]), 100, 20))).toBe("0:199:2, 49:29:-1");
  expect(toText(corner(select("...", [7]), 100, 20))).toBe(":");
});

test("elements in Fortran order are put in C order", () => {
  expect([...toC(new Uint8Array([0, 3, 1, 4, 2, 5]), [2, 3], 1)]).toEqual([0, 1, 2, 3, 4, 5]);
  const wide = new Uint8Array([0, 0, 2, 2, 1, 1, 3, 3]);
  expect([...toC(wide, [2, 2], 2)]).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  // np.arange(12).reshape(2, 3, 2).tobytes("F")
  const cube = new Uint8Array([0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11]);
  expect([...toC(cube, [2, 3, 2], 1)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("a line keeps the least and greatest of each run", () => {
  const values = new Float64Array(10_000).map((_, i) => Math.sin(i));
  values[4321] = 99;
  values[1234] = -99;
  const { at, values: drawn } = decimate(values, 100);
  expect(at.length).toBeLessThanOrEqual(200);
  expect(drawn).toContain(99);
  expect(drawn).toContain(-99);
  expect([...at].sort((a, b) => a - b)).toEqual(at);
});

test("a run without a finite number is a gap", () => {
  const values = new Float64Array(1000).fill(Number.NaN, 0, 500);
  const { values: drawn } = decimate(values, 10);
  expect(drawn.slice(0, 5)).toEqual([null, null, null, null, null]);
});

function stop(found: ReturnType<typeof sample>): string {
  const { step, length } = found.selection.axes[0]!;
  return `${step * (length - 1) + 1}`;
}
