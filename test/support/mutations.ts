import fc from 'fast-check';

/** One change to a text of at least one line; what it does not fit, it leaves alone. */
type Mutation = (lines: string[]) => string[];

/** A place as a share of the whole; anywhere is as good as at the ends. */
const where = fc.noBias(fc.nat({ max: 9999 })).map((part) => part / 10_000);
const index = (lines: string[], at: number) => Math.floor(at * lines.length);

const drop = where.map(
  (at): Mutation =>
    (lines) =>
      lines.toSpliced(index(lines, at), 1),
);

const double = where.map(
  (at): Mutation =>
    (lines) =>
      lines.toSpliced(index(lines, at), 0, lines[index(lines, at)] ?? ''),
);

const truncate = fc.tuple(where, where).map(
  ([at, keep]): Mutation =>
    (lines) =>
      change(lines, at, (line) => line.slice(0, Math.floor(keep * line.length))),
);

/** The end of the body never came. */
const cut = where.map(
  (at): Mutation =>
    (lines) => {
      const text = lines.join('\r\n');
      return text.slice(0, Math.floor(at * text.length)).split('\r\n');
    },
);

const swap = fc.tuple(where, where).map(
  ([from, to]): Mutation =>
    (lines) => {
      const [a, b] = [index(lines, from), index(lines, to)];
      return lines.with(a, lines[b] ?? '').with(b, lines[a] ?? '');
    },
);

const flip = fc.tuple(where, where, fc.integer({ min: 1, max: 255 })).map(
  ([at, column, bits]): Mutation =>
    (lines) =>
      change(lines, at, (line) => {
        const position = Math.floor(column * line.length);
        const flipped = String.fromCharCode(line.charCodeAt(position) ^ bits);
        return line.slice(0, position) + flipped + line.slice(position + 1);
      }),
);

/** A word becomes another one that occurs in such texts, or that code stumbles over. */
const replace = fc
  .tuple(
    where,
    where,
    fc.oneof(
      fc.constantFrom('0', '1', '9', '-1', '65536', '4294967296', '9'.repeat(30), '', 'BUNDLE', 'video', 'audio', '*'),
      fc.constantFrom('__proto__', 'constructor', 'toString', 'NaN', 'Infinity', '\0', '\u2028', '\ud800', '%s%d'),
      fc.constantFrom(
        'recvonly',
        'sendonly',
        'inactive',
        'active',
        'passive',
        'rtx/90000',
        'H264/90000',
        'opus/48000/2',
      ),
      fc.constantFrom(
        'VP8/90000',
        'VP9/90000',
        'AV1/90000',
        'H265/90000',
        'PCMU/8000',
        'G722/8000/1',
        'multiopus/48000/6',
      ),
      fc.constantFrom('profile-id=2', 'profile=1', 'tier=1', 'tier-flag=1', 'tx-mode=MRST', 'max-fs=1', 'level-idx=99'),
      fc.nat({ max: 300 }).map(String),
    ),
  )
  .map(
    ([at, word, by]): Mutation =>
      (lines) =>
        change(lines, at, (line) => {
          const words = line.split(/(?<=[ :=;/])/);
          return words.with(index(words, word), by).join('');
        }),
  );

function change(lines: string[], at: number, edit: (line: string) => string): string[] {
  const line = lines[index(lines, at)];
  return line === undefined || line === '' ? lines : lines.with(index(lines, at), edit(line));
}

const swapNeighbours = where.map(
  (at): Mutation =>
    (lines) => {
      const first = index(lines, at);
      return lines.toSpliced(first, 2, ...lines.slice(first, first + 2).reverse());
    },
);

const mutation = fc.oneof(
  { arbitrary: fc.oneof(drop, flip, replace, swapNeighbours), weight: 6 },
  { arbitrary: fc.oneof(double, truncate, swap), weight: 2 },
  { arbitrary: cut, weight: 1 },
);

/** One of the texts, with one to a few mutations. */
export function mutated(texts: string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...texts), fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([text, mutations]) =>
      mutations.reduce((lines, each) => (lines.length === 0 ? lines : each(lines)), text.split('\r\n')).join('\r\n'),
    );
}
