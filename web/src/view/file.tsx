import { type ArchiveFacts, type ArrayFacts, type Facts, facts, listing, Problem } from "../api";
import { readable, useQuery } from "../route";
import { ArchiveView } from "./archive";
import { ArrayView } from "./array";
import { Failure } from "./failure";
import { useLoaded } from "./loading";

/** A file, or a member of one. */
export function FileView({ path }: { path: string }) {
  const [query, change] = useQuery();
  const loaded = useLoaded<Facts>(`${path} ${query.member}`, signal =>
    load(path, query.member, signal),
  );
  const name = readable(path.split("/").at(-1)!);
  if (loaded.error) {
    return (
      <>
        <h1>{name}</h1>
        <Failure error={loaded.error} again={loaded.again} />
      </>
    );
  }
  if (!loaded.value) return <p role="status">Reading the facts …</p>;
  if (isArchive(loaded.value)) return <ArchiveView name={name} facts={loaded.value} />;
  return (
    <ArrayView
      path={path}
      name={name}
      facts={loaded.value}
      query={query}
      change={change}
      again={loaded.again}
    />
  );
}

async function load(path: string, member: string | null, signal: AbortSignal): Promise<Facts> {
  try {
    return await facts(path, member, signal);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
    // It may be a folder that was asked for without its slash.
    const folder = await listing(`${path}/`, "?limit=1", signal).catch(() => null);
    if (folder) location.replace(`/view/${path}/`);
    throw error;
  }
}

function isArchive(facts: ArchiveFacts | ArrayFacts): facts is ArchiveFacts {
  return "members" in facts;
}
