import { expect, test } from "vitest";
import { level } from "../src/colours";
import { GrowingHistogram, histogram } from "../src/histogram";
import { middleOf, rangeOf, Statistics } from "../src/statistics";
import { brief, grouped, names, ordinal, size, ticks } from "../src/units";

test("moments are those of finite numbers", () => {
  const found = new Statistics();
  found.add(Float64Array.of(1, Number.NaN, 2, Infinity, -Infinity, 0, 5));
  expect(found).toMatchObject({ count: 7, nan: 1, infinite: 2, zeros: 1, min: 0, max: 5, mean: 2 });
  expect(found.deviation).toBeCloseTo(Math.sqrt(3.5), 14);
});

test("close numbers far from zero keep their digits", () => {
  const found = new Statistics();
  found.add(Float64Array.from({ length: 20 }, (_, i) => 1e9 + i * 1e-6));
  expect(found.mean).toBeCloseTo(1e9 + 9.5e-6, 6);
  const wide = new Statistics();
  wide.add(Float64Array.of(-1.7e308, 1.7e308));
  expect(wide.mean).toBe(0);
});

test("pieces have the moments of the whole", () => {
  const values = new Float64Array(100_000).map((_, i) => 1e6 + Math.sin(i * i));
  const whole = new Statistics();
  whole.add(values);
  const pieces = new Statistics();
  for (let at = 0; at < values.length; at += 777) pieces.add(values.subarray(at, at + 777));
  expect(pieces.mean).toBeCloseTo(whole.mean, 8);
  expect(pieces.deviation).toBeCloseTo(whole.deviation, 8);
  expect(pieces.count).toBe(100_000);
});

test("64-bit integers have exact extremes", () => {
  const exact = [2n ** 63n - 1n, 2n ** 63n - 2n, -(2n ** 63n), -(2n ** 63n) + 1n];
  const found = new Statistics();
  found.add(Float64Array.from(exact, Number), i => exact[i]!);
  expect(found.exactMax).toBe(2n ** 63n - 1n);
  expect(found.exactMin).toBe(-(2n ** 63n));
});

test("an extreme of a later piece takes the place of an earlier one", () => {
  const found = new Statistics();
  found.add(Float64Array.of(5), () => 5n);
  found.add(Float64Array.of(9, -3), i => [9n, -3n][i]!);
  expect([found.exactMin, found.exactMax]).toEqual([-3n, 9n]);
});

test("no elements have no moments", () => {
  const found = new Statistics();
  found.add(new Float64Array());
  expect(found).toMatchObject({ count: 0, finite: 0 });
  expect(found.deviation).toBeNaN();
});

test("a histogram counts every finite number once", () => {
  const values = Float64Array.of(0, 1, 1, 2, 64, Number.NaN, Infinity);
  const bins = histogram(values, 0, 64, false);
  expect(bins.edges).toHaveLength(65);
  expect([bins.edges[0], bins.edges[64]]).toEqual([0, 64]);
  expect(bins.counts.slice(0, 3)).toEqual([1, 2, 1]);
  expect(sum(bins.counts)).toBe(5);
});

test("bins of integers hold as many integers each", () => {
  expect(histogram(Int8Array.of(1, 2, 2, 5), 1, 5, true)).toEqual({
    edges: [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
    counts: [1, 2, 0, 0, 1],
  });
  const wide = histogram(
    Uint8Array.from({ length: 256 }, (_, i) => i),
    0,
    255,
    true,
  );
  expect(wide.counts).toEqual(new Array(64).fill(4));
});

test("one value has one bin", () => {
  expect(histogram(Float64Array.of(3, 3), 3, 3, false)).toEqual({ edges: [2.5, 3.5], counts: [2] });
});

test("a histogram that grows loses nothing", () => {
  const growing = new GrowingHistogram(0, 1, false);
  const values = new Float64Array(50_000).map((_, i) => Math.tan(i));
  growing.add(values);
  growing.add(Float64Array.of(Number.NaN, 1e12, -1e12));
  const bins = growing.bins();
  expect(sum(bins.counts)).toBe(50_002);
  expect(bins.counts.length).toBeLessThanOrEqual(64);
  expect(bins.edges[0]!).toBeLessThanOrEqual(-1e12);
  expect(bins.edges.at(-1)!).toBeGreaterThan(1e12);
});

test("a histogram of integers grows by whole bins", () => {
  const growing = new GrowingHistogram(0, 3, true);
  growing.add(Int32Array.of(0, 1, 1, 3));
  expect(growing.bins()).toEqual({ edges: [-0.5, 0.5, 1.5, 2.5, 3.5], counts: [1, 2, 0, 1] });
  growing.add(Int32Array.of(100_000, -100_000));
  expect(sum(growing.bins().counts)).toBe(6);
});

test("colours go from the least to the greatest", () => {
  expect(level(-1, -1, 1)).toBe(0);
  expect(level(1, -1, 1)).toBe(255);
  expect(level(0, -1e308, 1e308)).toBe(128);
  expect(level(4, 4, 4)).toBe(128);
});

test("the middle of the values leaves out what lies far away", () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => i);
  values[500] = 1e9;
  values[501] = Number.NaN;
  expect(middleOf(values)).toEqual([9, 991]);
  expect(rangeOf(values)).toEqual([0, 1e9]);
  expect(middleOf(Float64Array.of(Number.NaN))).toEqual([Infinity, -Infinity]);
});

test("numbers are short and clear", () => {
  expect(grouped(12_500_000_000)).toBe("12,500,000,000");
  expect([1, 2, 3, 4, 11, 12, 13, 21, 112, 762_940].map(ordinal).join(" ")).toBe(
    "1st 2nd 3rd 4th 11th 12th 13th 21st 112th 762,940th",
  );
  expect([0, 1023, 1024, 10_240, 1 << 20, 1e11].map(size).join(", ")).toBe(
    "0 B, 1023 B, 1.0 KiB, 10 KiB, 1.0 MiB, 93 GiB",
  );
  expect(brief(0.1 + 0.2)).toBe("0.3");
  expect(brief(1e-9)).toBe("1e-9");
  expect(brief(Number.NaN)).toBe("nan");
  expect(names([1e6 + 0.001, 1e6 + 0.002])).toEqual(["1.000000001e+6", "1.000000002e+6"]);
});

test("ticks are round", () => {
  expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(ticks(-1, 1, 4)).toEqual([-1, -0.5, 0, 0.5, 1]);
  expect(ticks(0, 3, 10, true)).toEqual([0, 1, 2, 3]);
  expect(ticks(0.1, 0.9, 4)).toEqual([0.2, 0.4, 0.6, 0.8]);
  expect(ticks(0, 1, 4)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  expect(ticks(1e9, 1e9 + 1e-6, 2)).toEqual([1e9, 1e9 + 5e-7, 1e9 + 1e-6]);
  expect(ticks(5, 5, 3)).toEqual([5]);
  expect(ticks(-1e308, 1e308, 3).length).toBeGreaterThan(0);
});

function sum(counts: number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}
