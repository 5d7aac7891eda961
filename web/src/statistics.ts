import type { Numbers } from "./elements";

/** Counts and moments of numbers that come in pieces. All but the counts are of finite numbers. */
export class Statistics {
  count = 0;
  nan = 0;
  infinite = 0;
  zeros = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** `min` and `max` where a double does not hold them. */
  exactMin: bigint | undefined;
  exactMax: bigint | undefined;
  mean = 0;
  private squares = 0;

  /** `exact` gives an element as an integer, for those of 64 bits. */
  add(values: Numbers, exact?: (i: number) => bigint) {
    for (let from = 0; from < values.length; from += BLOCK) {
      this.addBlock(values, from, Math.min(from + BLOCK, values.length));
    }
    if (exact) this.addExact(values, exact);
  }

  get finite(): number {
    return this.count - this.nan - this.infinite;
  }

  /** Of the population, as NumPy's `std`. */
  get deviation(): number {
    return Math.sqrt(this.squares / this.finite);
  }

  /** Moments of a block in two passes, joined with those before (Chan, Golub and LeVeque). */
  private addBlock(values: Numbers, from: number, to: number) {
    const before = this.finite;
    // Sums of what is far from zero and close together lose their last digits.
    const pivot = before > 0 ? this.mean : firstFinite(values, from, to);
    let sum = 0;
    let count = 0;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      if (Number.isNaN(value)) this.nan++;
      else if (value === Infinity || value === -Infinity) this.infinite++;
      else {
        count++;
        sum += value - pivot;
        if (value === 0) this.zeros++;
        if (value < this.min) this.min = value;
        if (value > this.max) this.max = value;
      }
    }
    this.count += to - from;
    if (count === 0) return;
    let mean = pivot + sum / count;
    // Differences may be greater than a double where numbers are not.
    if (!Number.isFinite(mean)) mean = plainMean(values, from, to, count);
    let squares = 0;
    for (let i = from; i < to; i++) {
      const away = values[i]! - mean;
      if (away - away === 0) squares += away * away;
    }
    const total = before + count;
    const shift = mean - this.mean;
    this.squares += squares + (shift * shift * before * count) / total;
    this.mean += (shift * count) / total;
  }

  private addExact(values: Numbers, exact: (i: number) => bigint) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value === this.min) {
        const whole = exact(i);
        if (this.exactMin === undefined || whole < this.exactMin) this.exactMin = whole;
      }
      if (value === this.max) {
        const whole = exact(i);
        if (this.exactMax === undefined || whole > this.exactMax) this.exactMax = whole;
      }
    }
  }
}

function plainMean(values: Numbers, from: number, to: number, count: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) if (Number.isFinite(values[i])) sum += values[i]!;
  return sum / count;
}

function firstFinite(values: Numbers, from: number, to: number): number {
  for (let i = from; i < to; i++) {
    if (Number.isFinite(values[i])) return values[i]!;
  }
  return 0;
}

/** The least and greatest finite number; where there is none, a range that holds nothing. */
export function rangeOf(values: Numbers): [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value !== 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** The range without the outer hundredth at either end, of a sample where there are many. */
export function middleOf(values: Numbers): [low: number, high: number] {
  const step = Math.ceil(values.length / MOST_SORTED);
  const some: number[] = [];
  for (let i = 0; i < values.length; i += step) {
    const value = values[i]!;
    if (value - value === 0) some.push(value);
  }
  if (some.length === 0) return rangeOf(values);
  const sorted = Float64Array.from(some).sort();
  const outer = Math.floor(sorted.length / 100);
  return [sorted[outer]!, sorted[sorted.length - 1 - outer]!];
}

const MOST_SORTED = 1 << 16;
const BLOCK = 4096;
