/** Dark or light: as the system says, until the reader says otherwise. */
import { keep, read } from "./storage";

const KEY = "ndbytes.theme";

export type Theme = "dark" | "light";

/** Canvases draw anew when the colours change. */
export const themeChanged = new EventTarget();

export function theme(): Theme {
  const kept = read("localStorage", KEY);
  if (kept === "dark" || kept === "light") return kept;
  return system.matches ? "dark" : "light";
}

export function keepTheme(theme: Theme) {
  keep("localStorage", KEY, theme);
  applyTheme();
}

export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  themeChanged.dispatchEvent(new Event("change"));
}

/** A colour of the style sheet. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", applyTheme);
