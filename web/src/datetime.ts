/** Dates and differences of NumPy as text: ISO 8601, to the unit. */
import type { Scalar } from "./dtype";
import { NAT } from "./elements";

export function dateText(value: bigint, dtype: Scalar): string {
  if (value === NAT) return "NaT";
  const { unit } = dtype;
  const ticks = value * BigInt(dtype.count);
  if (unit === "") return `${value}`;
  if (unit === "Y") return year(1970n + ticks);
  if (unit === "M") {
    const [years, month] = divide(ticks, 12n);
    return `${year(1970n + years)}-${two(month + 1n)}`;
  }
  if (unit === "W" || unit === "D") return day(unit === "W" ? 7n * ticks : ticks);
  if (unit === "h") {
    const [days, hour] = divide(ticks, 24n);
    return `${day(days)}T${two(hour)}`;
  }
  if (unit === "m") {
    const [days, minute] = divide(ticks, 1440n);
    return `${day(days)}T${two(minute / 60n)}:${two(minute % 60n)}`;
  }
  const digits = FRACTION[unit] ?? 0;
  const [seconds, fraction] = divide(ticks, 10n ** BigInt(digits));
  const [days, second] = divide(seconds, 86400n);
  const clock = `${two(second / 3600n)}:${two((second / 60n) % 60n)}:${two(second % 60n)}`;
  const tail = digits ? `.${fraction.toString().padStart(digits, "0")}` : "";
  return `${day(days)}T${clock}${tail}`;
}

export function differenceText(value: bigint, dtype: Scalar): string {
  if (value === NAT) return "NaT";
  const unit = NAMES[dtype.unit] ?? "generic units";
  return `${value * BigInt(dtype.count)} ${unit}`;
}

/** A day since 1970 in the proleptic Gregorian calendar (Howard Hinnant, `civil_from_days`). */
function day(days: bigint): string {
  const shifted = days + 719468n;
  const [era, dayOfEra] = divide(shifted, 146097n);
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36524n - dayOfEra / 146096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const shiftedMonth = (5n * dayOfYear + 2n) / 153n;
  const dayOfMonth = dayOfYear - (153n * shiftedMonth + 2n) / 5n + 1n;
  const month = shiftedMonth < 10n ? shiftedMonth + 3n : shiftedMonth - 9n;
  const years = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n);
  return `${year(years)}-${two(month)}-${two(dayOfMonth)}`;
}

function divide(a: bigint, b: bigint): [bigint, bigint] {
  const rest = ((a % b) + b) % b;
  return [(a - rest) / b, rest];
}

function year(value: bigint): string {
  // Four characters with the sign, as NumPy has it.
  return value < 0n
    ? `-${(-value).toString().padStart(3, "0")}`
    : value.toString().padStart(4, "0");
}

function two(value: bigint): string {
  return value.toString().padStart(2, "0");
}

const FRACTION: Record<string, number> = {
  s: 0,
  ms: 3,
  us: 6,
  μs: 6,
  ns: 9,
  ps: 12,
  fs: 15,
  as: 18,
};

const NAMES: Record<string, string> = {
  Y: "years",
  M: "months",
  W: "weeks",
  D: "days",
  h: "hours",
  m: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  μs: "microseconds",
  ns: "nanoseconds",
  ps: "picoseconds",
  fs: "femtoseconds",
  as: "attoseconds",
};
