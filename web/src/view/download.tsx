import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { get } from "../api";
import { token } from "../token";

interface Props {
  href: string;
  name: string;
  children: ComponentChildren;
  title?: string;
}

/** A link that saves a file. With a token, which a link cannot carry, the file is fetched first. */
export function Download({ href, name, children, title }: Props) {
  const [state, say] = useState("");
  const save = async (event: MouseEvent) => {
    if (!token()) return;
    event.preventDefault();
    say("fetching …");
    try {
      const response = await get(href, null);
      const url = URL.createObjectURL(await response.blob());
      const link = document.createElement("a");
      link.href = url;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      say("");
    } catch (error) {
      say((error as Error).message);
    }
  };
  return (
    <>
      <a href={href} download={name} onClick={save} title={title}>
        {children}
      </a>
      {state && (
        <span role="status" class="quiet">
          {" "}
          {state}
        </span>
      )}
    </>
  );
}
