import { useEffect, useState } from "preact/hooks";
import { isFolder, path, readable } from "../route";
import { keepTheme, theme } from "../theme";
import { FileView } from "./file";
import { FolderView } from "./folder";

/** The frame of every page: where it is, and what is there. */
export function Page() {
  const here = path();
  const names = here.split("/").filter(Boolean);
  useEffect(() => {
    document.title = `${names.length ? readable(names.at(-1)!) : "/"} – ndbytes`;
    addEventListener("keydown", focusOnSlash);
    return () => removeEventListener("keydown", focusOnSlash);
  });
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <nav aria-label="Path">
          <ol class="crumbs">
            <li>
              <a href="/view/">ndbytes</a>
            </li>
            {names.map((name, i) => (
              <li key={name}>
                {i === names.length - 1 ? (
                  <span aria-current="page">{readable(name)}</span>
                ) : (
                  <a href={`/view/${names.slice(0, i + 1).join("/")}/`}>{readable(name)}</a>
                )}
              </li>
            ))}
          </ol>
        </nav>
        <ThemeButton />
      </header>
      <main id="content" tabIndex={-1}>
        {isFolder(here) ? <FolderView path={here} /> : <FileView path={here} />}
      </main>
    </>
  );
}

function ThemeButton() {
  const [now, keep] = useState(theme());
  const other = now === "dark" ? "light" : "dark";
  const change = () => {
    keepTheme(other);
    keep(other);
  };
  return (
    <button type="button" class="theme" onClick={change} aria-label={`Change to ${other} colours`}>
      {other}
    </button>
  );
}

/** `/` leads to the field that is marked so: the filter of a folder, the index of an array. */
function focusOnSlash(event: KeyboardEvent) {
  const target = event.target as HTMLElement;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("input, select, textarea")) return;
  const field = document.querySelector<HTMLInputElement>("[data-slash]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}
