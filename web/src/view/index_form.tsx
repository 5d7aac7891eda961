import { useEffect, useRef } from "preact/hooks";

interface Props {
  text: string;
  wrong: string;
  set: (text: string) => void;
}

/** The box for NumPy's index. */
export function IndexForm({ text, wrong, set }: Props) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (field.current) field.current.value = text;
  }, [text]);
  const submit = (event: Event) => {
    event.preventDefault();
    set(field.current!.value.trim() || "...");
  };
  return (
    <form class="field index" onSubmit={submit}>
      <label for="index">Index</label>
      <div class="row">
        <input
          id="index"
          ref={field}
          type="text"
          data-slash
          defaultValue={text}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="0:100, ::2, ..."
          aria-invalid={wrong !== ""}
          aria-describedby="index-wrong"
        />
        <button type="submit">Show</button>
      </div>
      <p id="index-wrong" class="wrong" role="alert">
        {wrong}
      </p>
    </form>
  );
}
