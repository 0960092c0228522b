/** A session description as its lines say it, for tests that judge the code under test. */

type Attribute = [name: string, value: string];
export interface Section {
  head: string;
  kind: string;
  port: number;
  proto: string;
  formats: string[];
  attributes: Attribute[];
}
export interface Description extends Section {
  sections: Section[];
}
/** A section of the offer and what the answer makes of it. */
export interface Pair {
  o: Section;
  a: Section;
}

export function read(sdp: string): Description {
  const [top = '', ...media] = sdp.split(/(?<=\n)(?=m=)/);
  const session = section(top);
  // RFC 8285 §5: on session level for every section.
  const shared = session.attributes.filter(([name]) => name === 'extmap');
  const sections = media.map(section).map((each) => ({ ...each, attributes: [...each.attributes, ...shared] }));
  return { ...session, sections };
}

function section(text: string): Section {
  const lines = text.split(/\r?\n|\r$/).map((line) => line.trimEnd());
  const [kind = '', port = '', proto = '', ...formats] = lines[0]?.slice(2).split(' ') ?? [];
  const attributes = lines
    .filter((line) => line.startsWith('a='))
    .map((line): Attribute => {
      const [name = ''] = line.slice(2).split(':', 1);
      return [name, line.slice(3 + name.length)];
    });
  return { head: lines[0] ?? '', kind, port: Number(port), proto, formats, attributes };
}

export function all({ attributes }: Section, name: string): string[] {
  return attributes.filter(([each]) => each === name).map(([, text]) => text);
}

export function value(from: Section, name: string): string | undefined {
  return all(from, name)[0];
}

export function pairs(offered: Description, answered: Description): Pair[] {
  return answered.sections.flatMap((a, at) => {
    const o = offered.sections[at];
    return o ? [{ o, a }] : [];
  });
}

/** The mids of each BUNDLE group. */
export function groups(description: Description): string[][] {
  return all(description, 'group').flatMap((each) => {
    const [semantics, ...mids] = each.split(' ');
    return semantics === 'BUNDLE' ? [mids] : [];
  });
}

/** Those of a format, by name in lower case; the first of a name counts. */
export function parameters(from: Section, format: string | undefined): Map<string, string> {
  const line = all(from, 'fmtp').find((each) => each.startsWith(`${format} `)) ?? '';
  const pairs = line.slice(line.indexOf(' ') + 1).split(';');
  return new Map(
    pairs
      .filter(Boolean)
      .reverse()
      .map((each) => {
        const [name = '', ...text] = each.split('=');
        return [name.trim().toLowerCase(), text.join('=').trim()];
      }),
  );
}
