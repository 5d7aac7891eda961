/** What the browser keeps for this page; where it may keep nothing, it is kept until the tab is closed. */
const held = new Map<string, string>();

export type Kept = "localStorage" | "sessionStorage";

export function read(where: Kept, key: string): string | null {
  try {
    return window[where].getItem(key);
  } catch {
    return held.get(key) ?? null;
  }
}

export function keep(where: Kept, key: string, value: string) {
  try {
    window[where].setItem(key, value);
  } catch {
    held.set(key, value);
  }
}

export function drop(where: Kept, key: string) {
  try {
    window[where].removeItem(key);
  } catch {
    held.delete(key);
  }
}
