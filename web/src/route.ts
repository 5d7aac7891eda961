/** The page's URL: `/view/PATH?member=&slice=&field=&part=`. */
import { useEffect, useState } from "preact/hooks";

export interface Query {
  member: string | null;
  slice: string | null;
  field: string | null;
  part: string | null;
}

/** Percent-encoded, without the service's name; a folder's ends with `/`, the root is "". */
export function path(): string {
  return location.pathname.replace(/^\/view\/?/, "");
}

export function isFolder(path: string): boolean {
  return path === "" || path.endsWith("/");
}

/** A part of a path as people read it; names need not be UTF-8. */
export function readable(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The query, and a function that changes it: as a new step of the history, or in the place of this one. */
export function useQuery(): [Query, (change: Partial<Query>, replace?: boolean) => void] {
  const [query, keep] = useState(read);
  useEffect(() => {
    const again = () => keep(read());
    addEventListener("popstate", again);
    return () => removeEventListener("popstate", again);
  }, []);
  const change = (changes: Partial<Query>, replace = false) => {
    const next = { ...read(), ...changes };
    const url = location.pathname + write(next);
    if (url === location.pathname + location.search) return;
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    keep(next);
  };
  return [query, change];
}

export function write(query: Partial<Query>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => `${key}=${plain(value!)}`);
  return parts.length ? `?${parts.join("&")}` : "";
}

function read(): Query {
  const found = new URLSearchParams(location.search);
  return {
    member: found.get("member"),
    slice: found.get("slice"),
    field: found.get("field"),
    part: found.get("part"),
  };
}

/** Encoded, but for what an index has and a query may. */
function plain(value: string): string {
  return encodeURIComponent(value)
    .replaceAll("%3A", ":")
    .replaceAll("%2C", ",")
    .replaceAll("%20", "+");
}
