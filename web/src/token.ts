/** The token of this tab. It is in no URL, and gone when the tab is closed. */
import { drop, keep, read } from "./storage";

const KEY = "ndbytes.token";

export function token(): string | null {
  return read("sessionStorage", KEY);
}

export function keepToken(value: string) {
  keep("sessionStorage", KEY, value);
}

export function dropToken() {
  drop("sessionStorage", KEY);
}
