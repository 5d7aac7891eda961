import { useEffect, useRef } from "preact/hooks";
import { keepToken } from "../token";

interface Props {
  detail: string;
  done: () => void;
}

export function TokenForm({ detail, done }: Props) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const value = field.current!.value.trim();
    if (!value) return;
    keepToken(value);
    done();
  };
  return (
    <form class="token" onSubmit={submit}>
      <h2>Token</h2>
      <p id="token-why">
        This server asks for a token. It stays in this tab, and is forgotten with it.
      </p>
      <p class="wrong" role="alert">
        {detail}
      </p>
      <label for="token">Token</label>
      <div class="row">
        <input
          id="token"
          ref={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          aria-describedby="token-why"
          required
        />
        <button type="submit">Go on</button>
      </div>
    </form>
  );
}
