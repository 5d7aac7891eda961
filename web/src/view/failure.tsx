import { Problem } from "../api";
import { TokenForm } from "./token";

interface Props {
  error: unknown;
  /** Asks again, with a token where one was missing. */
  again: () => void;
}

/** What went wrong, in words; a token is asked for where that is all that is missing. */
export function Failure({ error, again }: Props) {
  if (error instanceof Problem && error.status === 401) {
    return <TokenForm detail={error.message} done={again} />;
  }
  if (error instanceof Problem) {
    return (
      <div class="failure" role="alert">
        <h2>{error.title}</h2>
        <p>{error.message}</p>
        <p class="quiet">
          {error.code && <code>{error.code}</code>}
          {error.offset !== undefined && ` at byte ${error.offset} of the file`}
        </p>
        {error.status !== 404 && <Again again={again} />}
      </div>
    );
  }
  const text =
    error instanceof TypeError ? "The server does not answer." : `${(error as Error).message}`;
  return (
    <div class="failure" role="alert">
      <p>{text}</p>
      <Again again={again} />
    </div>
  );
}

function Again({ again }: { again: () => void }) {
  return (
    <button type="button" onClick={again}>
      Try again
    </button>
  );
}
