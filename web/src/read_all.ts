import { described, get } from "./api";
import type { Leaf } from "./dtype";
import { type Numbers, numbers, type Part } from "./elements";
import { type Bins, GrowingHistogram } from "./histogram";
import { Statistics } from "./statistics";

export interface All {
  statistics: Statistics;
  bins: Bins;
  etag: string;
}

interface Reading {
  url: string;
  nbytes: number;
  itemsize: number;
  leaf: Leaf;
  part: Part;
  /** Where the histogram begins; it grows with what is found. */
  low: number;
  high: number;
  whole: boolean;
  exact: ((bytes: Uint8Array) => (i: number) => bigint) | undefined;
  signal: AbortSignal;
  onProgress: (fraction: number) => void;
}

/** Reads all elements, and keeps no more of them than a piece. */
export async function readAll(reading: Reading): Promise<All> {
  const response = await get(reading.url, reading.signal);
  const statistics = new Statistics();
  const growing = new GrowingHistogram(reading.low, reading.high, reading.whole);
  const piece = new Uint8Array(
    reading.itemsize * Math.max(1, Math.floor(PIECE / reading.itemsize)),
  );
  let filled = 0;
  let read = 0;
  const take = (bytes: Uint8Array) => {
    const values: Numbers = numbers(bytes, reading.itemsize, reading.leaf, reading.part);
    statistics.add(values, reading.exact?.(bytes));
    growing.add(values);
  };
  const stream = response.body!.getReader();
  for (;;) {
    const { done, value } = await stream.read();
    if (done) break;
    for (let at = 0; at < value.length; ) {
      const n = Math.min(piece.length - filled, value.length - at);
      piece.set(value.subarray(at, at + n), filled);
      at += n;
      filled += n;
      if (filled === piece.length) {
        take(piece);
        filled = 0;
      }
    }
    read += value.length;
    reading.onProgress(read / reading.nbytes);
  }
  if (read !== reading.nbytes) throw new Error(`${read} of ${reading.nbytes} bytes came`);
  take(piece.slice(0, filled));
  return { statistics, bins: growing.bins(), etag: described(response).etag };
}

const PIECE = 1 << 18;
