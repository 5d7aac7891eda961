import { dateText } from "../datetime";
import type { Scalar } from "../dtype";

/** Names dates, to the minute; nothing for what is no date. */
export function dates(dtype: Scalar): ((value: number) => string) | undefined {
  if (dtype.code !== "M" || dtype.unit === "") return undefined;
  return value => dateText(BigInt(Math.round(value)), dtype).slice(0, 16);
}
