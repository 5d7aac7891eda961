import type { ArchiveFacts, Member } from "../api";
import { write } from "../route";
import { grouped, size } from "../units";
import { Download } from "./download";
import { shapeText } from "./facts";

/** What an `.npz` holds. */
export function ArchiveView({ name, facts }: { name: string; facts: ArchiveFacts }) {
  return (
    <>
      <div class="head">
        <h1>{name}</h1>
        <Download href={facts.file} name={name}>
          Download the file
        </Download>
      </div>
      <div class="scroll">
        <table class="listing">
          <thead>
            <tr>
              <th scope="col">Member</th>
              <th scope="col">dtype</th>
              <th scope="col">Shape</th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col">Compression</th>
            </tr>
          </thead>
          <tbody>
            {facts.members.map(member => (
              <Row key={member.member} member={member} />
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet" role="status">
        {facts.count === 1 ? "1 member" : `${grouped(facts.count)} members`}
      </p>
    </>
  );
}

function Row({ member }: { member: Member }) {
  if (member.error) {
    return (
      <tr>
        <td class="name">{member.member}</td>
        <td colSpan={3} class="wrong">
          {member.error.detail} <code>{member.error.code}</code>
        </td>
        <td>{member.compression}</td>
      </tr>
    );
  }
  return (
    <tr>
      <td class="name">
        <a href={write({ member: member.member })}>{member.member}</a>
      </td>
      <td class="code">{member.dtype}</td>
      <td class="code">{shapeText(member.shape!)}</td>
      <td
        class="number"
        title={`${grouped(member.nbytes!)} bytes, ${grouped(member.stored_nbytes)} in the file`}
      >
        {size(member.nbytes!)}
      </td>
      <td>{member.compression}</td>
    </tr>
  );
}
