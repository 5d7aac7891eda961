import { useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  /** While another is loaded, the one before. */
  value: T | undefined;
  error: unknown;
  busy: boolean;
  again: () => void;
}

/** What `load` gives. When `key` changes it is asked anew, and what was under way is given up. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [turn, setTurn] = useState(0);
  const wanted = `${turn} ${key}`;
  const [state, keep] = useState<{ key: string; value?: T; error?: unknown }>({ key: "" });
  // `wanted` says all that `load` depends on.
  useEffect(() => {
    const control = new AbortController();
    load(control.signal).then(
      value => control.signal.aborted || keep({ key: wanted, value }),
      error => control.signal.aborted || keep({ key: wanted, error }),
    );
    return () => control.abort();
  }, [wanted]);
  const busy = state.key !== wanted;
  const again = () => setTurn(turn + 1);
  return { value: state.value, error: busy ? undefined : state.error, busy, again };
}
