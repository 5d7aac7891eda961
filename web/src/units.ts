/** Numbers as people read them. */

/** 12,500,000,000 */
export function grouped(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** "1 row", "2,000 rows" */
export function plural(count: number, name: string): string {
  return `${grouped(count)} ${name}${count === 1 ? "" : "s"}`;
}

/** 762,940th */
export function ordinal(value: number): string {
  const [ten, hundred] = [value % 10, value % 100];
  const teen = hundred > 10 && hundred < 14;
  const end = teen ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[ten] ?? "th");
  return grouped(value) + end;
}

/** 1.5 MiB */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let value = bytes;
  let unit = "";
  for (const each of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = each;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** A number in few digits, for axes and read-outs. */
export function brief(value: number, digits = 6): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e6 || magnitude < 1e-4) {
    if (Number.isInteger(value) && magnitude < 1e9) return `${value}`;
    return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
  }
  return `${Number(value.toPrecision(digits))}`;
}

/** Round numbers within a range, about `count` of them. */
export function ticks(low: number, high: number, count: number, whole = false): number[] {
  if (!(high > low) || !Number.isFinite(high - low)) return [low];
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const factors = whole ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  const factor = factors.find(each => each * power >= raw) ?? 10;
  const step = whole ? Math.max(1, Math.round(factor * power)) : factor * power;
  const found: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high && found.length < 100; i++) {
    found.push(rounded(i * step, step));
  }
  return found;
}

/** A tick without the noise of its product. */
function rounded(value: number, step: number): number {
  const decimals = 1 - Math.floor(Math.log10(step));
  if (decimals < 0 || decimals > 100 || Math.abs(value) >= 1e21) return value;
  return Number(value.toFixed(decimals));
}

/** A moment as in a listing: 2024-02-29 12:00. */
export function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => `${value}`.padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Numbers as text, in as few digits as tell them apart, but no fewer than `least`. */
export function names(values: number[], least = 4): string[] {
  for (let digits = least; ; digits++) {
    const texts = values.map(value =>
      Number.isInteger(value) && Math.abs(value) < 1e7 ? grouped(value) : brief(value, digits),
    );
    if (digits >= 17 || new Set(texts).size === values.length) return texts;
  }
}
