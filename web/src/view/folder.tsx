import { useState } from "preact/hooks";
import { type Entry, type Listing, listing } from "../api";
import { readable } from "../route";
import { grouped, moment, size } from "../units";
import { Download } from "./download";
import { Failure } from "./failure";
import { useLoaded } from "./loading";

export function FolderView({ path }: { path: string }) {
  const [query, setQuery] = useState("");
  const [before, setBefore] = useState<Entry[]>([]);
  const [filter, setFilter] = useState("");
  const page = useLoaded<Listing>(path + query, signal => listing(path, query, signal));
  const name = readable(path.split("/").at(-2) ?? "") || "Files";
  if (page.error) {
    return (
      <>
        <h1>{name}</h1>
        <Failure error={page.error} again={page.again} />
      </>
    );
  }
  if (!page.value) return <p role="status">Reading the folder …</p>;
  const entries = page.busy ? before : [...before, ...page.value.entries];
  const wanted = filter.toLowerCase();
  const shown = entries.filter(entry => entry.name.toLowerCase().includes(wanted));
  const next = page.busy ? undefined : page.value.next;
  const more = () => {
    setBefore(entries);
    setQuery(next!);
  };
  return (
    <>
      <div class="head">
        <h1>{name}</h1>
        <div class="field">
          <label for="filter">Filter</label>
          <input
            id="filter"
            type="search"
            data-slash
            value={filter}
            onInput={event => setFilter(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
          />
        </div>
      </div>
      <div class="scroll">
        <table class="listing">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="kind">
                Kind
              </th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col">Modified</th>
            </tr>
          </thead>
          <tbody>
            {path && !filter && (
              <tr>
                <td>
                  <a href="../">..</a>
                </td>
                <td class="kind">folder</td>
                <td />
                <td />
              </tr>
            )}
            {shown.map(entry => (
              <Row key={entry.href} entry={entry} />
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet" role="status">
        {page.busy ? "Reading …" : counted(shown.length, entries.length, next !== undefined)}
      </p>
      {next && (
        <button type="button" onClick={more}>
          More
        </button>
      )}
    </>
  );
}

function Row({ entry }: { entry: Entry }) {
  const folder = entry.kind === "folder";
  const view = (entry.array ?? entry.href).replace(/^\/(files|arrays)\//, "/view/");
  return (
    <tr>
      <td class="name">
        {folder || entry.array ? (
          <a href={view}>
            {entry.name}
            {folder && "/"}
          </a>
        ) : (
          <Download href={entry.href} name={entry.name} title="Download">
            {entry.name}
          </Download>
        )}
      </td>
      <td class="kind">{kind(entry)}</td>
      <td
        class="number"
        title={entry.nbytes === undefined ? undefined : `${grouped(entry.nbytes)} bytes`}
      >
        {entry.nbytes !== undefined && size(entry.nbytes)}
      </td>
      <td class="when">
        {entry.modified !== undefined && (
          <time dateTime={new Date(entry.modified * 1000).toISOString()}>
            {moment(entry.modified)}
          </time>
        )}
      </td>
    </tr>
  );
}

function kind(entry: Entry): string {
  if (entry.kind === "folder") return "folder";
  if (!entry.array) return "file";
  return { npz: "archive", ndb: "frame" }[entry.name.split(".").at(-1)!] ?? "array";
}

function counted(shown: number, all: number, more: boolean): string {
  if (all === 0) return "The folder is empty.";
  const names = `${grouped(all)} ${all === 1 ? "name" : "names"}${more ? ", and more" : ""}`;
  return shown === all ? names : `${grouped(shown)} of ${names}`;
}
