import type { Numbers } from "./elements";

/** A line of few points that looks as one of many: the least and greatest of each run. */
export function decimate(
  values: Numbers,
  runs: number,
): { at: number[]; values: (number | null)[] } {
  const at: number[] = [];
  const out: (number | null)[] = [];
  const push = (i: number) => {
    at.push(i);
    const value = values[i]!;
    out.push(value - value === 0 ? value : null);
  };
  if (values.length <= 2 * runs) {
    for (let i = 0; i < values.length; i++) push(i);
    return { at, values: out };
  }
  for (let run = 0; run < runs; run++) {
    const from = Math.floor((run * values.length) / runs);
    const to = Math.floor(((run + 1) * values.length) / runs);
    let low = -1;
    let high = -1;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      if (value - value !== 0) continue;
      if (low < 0 || value < values[low]!) low = i;
      if (high < 0 || value > values[high]!) high = i;
    }
    if (low < 0) push(from);
    else if (low === high) push(low);
    else for (const i of [Math.min(low, high), Math.max(low, high)]) push(i);
  }
  return { at, values: out };
}
