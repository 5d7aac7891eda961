/** What the server of `ndbytes serve` answers. */
import { dropToken, token } from "./token";

export interface Listing {
  path: string;
  entries: Entry[];
  /** The query of the page that follows. */
  next?: string;
}

export interface Entry {
  name: string;
  kind: "folder" | "file";
  href: string;
  nbytes?: number;
  modified?: number;
  array?: string;
}

export interface ArrayFacts {
  dtype: string;
  shape: number[];
  order: "C" | "F";
  itemsize: number;
  nbytes: number;
  etag: string;
  file: string;
  /** Where the elements begin, if they are in the file as they are. */
  data_offset?: number;
  chunks?: { shape: number[]; grid: number[]; count: number; family: string };
  stored_nbytes?: number;
}

export interface Member extends Partial<ArrayFacts> {
  member: string;
  compression: string;
  stored_nbytes: number;
  error?: { code: string; detail: string };
}

export interface ArchiveFacts {
  count: number;
  etag: string;
  file: string;
  members: Member[];
}

export type Facts = ArrayFacts | ArchiveFacts;

/** An error of RFC 9457. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
    readonly code: string,
    readonly offset?: number,
  ) {
    super(detail);
  }
}

/** Elements as the server sends them. */
export interface Raw {
  bytes: Uint8Array;
  order: "C" | "F";
  shape: number[];
  etag: string;
}

export function listing(path: string, query: string, signal: AbortSignal): Promise<Listing> {
  return json(`/files/${path}${query}`, signal);
}

export function facts(path: string, member: string | null, signal: AbortSignal): Promise<Facts> {
  return json(arrayUrl(path, { member }), signal);
}

export async function raw(url: string, signal: AbortSignal): Promise<Raw> {
  const response = await get(url, signal);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { bytes, ...described(response) };
}

/** The URL of an array's facts or elements. */
export function arrayUrl(path: string, query: Record<string, string | null>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${encodeURIComponent(value!)}`);
  return `/arrays/${path}${parts.length ? `?${parts.join("&")}` : ""}`;
}

/** A response that is none of an error. */
export async function get(
  url: string,
  signal: AbortSignal | null,
  accept = "*/*",
): Promise<Response> {
  const headers: Record<string, string> = { Accept: accept };
  const held = token();
  if (held) headers.Authorization = `Bearer ${held}`;
  const response = await fetch(url, { headers, signal, cache: "no-cache" });
  if (response.ok) return response;
  if (response.status === 401) dropToken();
  throw await problem(response);
}

/** What the headers of a slice say. */
export function described(response: Response): Omit<Raw, "bytes"> {
  const shape = response.headers.get("Ndbytes-Shape") ?? "";
  return {
    order: response.headers.get("Ndbytes-Order") === "F" ? "F" : "C",
    shape: shape.split(",").filter(Boolean).map(Number),
    etag: (response.headers.get("ETag") ?? "").replace(/^"|(-raw)?"$/g, ""),
  };
}

async function json<T>(url: string, signal: AbortSignal): Promise<T> {
  const response = await get(url, signal, "application/json");
  return response.json();
}

async function problem(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  try {
    const { title, detail, code, offset } = await response.json();
    return new Problem(status, title, detail ?? "", code ?? "", offset);
  } catch {
    return new Problem(status, statusText || `${status}`, "", "");
  }
}
