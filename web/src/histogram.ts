import type { Numbers } from "./elements";

/** Counts between edges, one fewer than these. */
export interface Bins {
  edges: number[];
  counts: number[];
}

/** Bins of equal width from `low` to `high`, both included; of integers, such that hold as many each. */
export function histogram(values: Numbers, low: number, high: number, whole: boolean): Bins {
  const { edges, start, width } = layout(low, high, whole);
  const counts = new Array<number>(edges.length - 1).fill(0);
  const last = counts.length - 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= low && value <= high) {
      counts[Math.min(last, Math.floor((value - start) / width))]!++;
    }
  }
  return { edges, counts };
}

function layout(low: number, high: number, whole: boolean) {
  let width = (high - low) / BINS;
  let count = BINS;
  let start = low;
  if (whole) {
    width = Math.max(1, Math.ceil((high - low + 1) / BINS));
    count = Math.ceil((high - low + 1) / width);
    start = low - 0.5;
  } else if (!(width > 0)) {
    start = low - 0.5;
    width = 1;
    count = 1;
  }
  const edges = Array.from({ length: count + 1 }, (_, i) => start + i * width);
  if (!whole && count > 1) edges[count] = high;
  return { edges, start, width };
}

/**
 * A histogram of numbers that are seen once and whose range is not known. When one lies beyond the
 * bins, pairs of them are joined until it does not; so the counts stay exact.
 */
export class GrowingHistogram {
  private counts = new Float64Array(FINE);
  private low: number;
  private width: number;

  constructor(low: number, high: number, whole: boolean) {
    const span = high - low > 0 ? high - low : 1;
    this.width = whole
      ? 2 ** Math.max(0, Math.ceil(Math.log2((span + 1) / FINE)))
      : span / (FINE - 1);
    this.low = whole ? low - 0.5 : low;
  }

  add(values: Numbers) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value - value !== 0) continue;
      let bin = Math.floor((value - this.low) / this.width);
      while (!(bin >= 0 && bin < FINE)) {
        if (!this.grow(bin < 0)) return;
        bin = Math.floor((value - this.low) / this.width);
      }
      this.counts[bin]!++;
    }
  }

  /** The bins that hold something, joined to as many as are drawn. */
  bins(): Bins {
    let first = this.counts.findIndex(count => count > 0);
    if (first < 0) return { edges: [0, 1], counts: [0] };
    let end = FINE;
    while (this.counts[end - 1] === 0) end--;
    const each = Math.ceil((end - first) / BINS);
    const bins: Bins = { edges: [this.edge(first)], counts: [] };
    for (; first < end; first += each) {
      const joined = this.counts.subarray(first, Math.min(first + each, FINE));
      bins.counts.push(joined.reduce((a, b) => a + b, 0));
      bins.edges.push(this.edge(first + each));
    }
    return bins;
  }

  private edge(bin: number): number {
    return this.low + bin * this.width;
  }

  /** Doubles the range to one side; false where doubles end. */
  private grow(down: boolean): boolean {
    const span = this.width * FINE;
    if (!Number.isFinite(2 * span) || !Number.isFinite(this.low - span)) return false;
    const joined = new Float64Array(FINE);
    const shift = down ? FINE / 2 : 0;
    for (let i = 0; i < FINE; i += 2) {
      joined[shift + i / 2] = this.counts[i]! + this.counts[i + 1]!;
    }
    this.counts = joined;
    if (down) this.low -= span;
    this.width *= 2;
    return true;
  }
}

const BINS = 64;
const FINE = 8192;
