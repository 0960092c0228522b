export const NO_SUCH_OPTION = 'no such option; remove it or correct its name';

/** In words, that `name` is none of the `known` ones. */
export function noSuchOption(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known);
  return meant === undefined ? NO_SUCH_OPTION : `no such option; did you mean ${meant}?`;
}

/** The known name that was most likely meant; undefined when none is much like it. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const written = plain(name);
  let best: string | undefined;
  // A third of the letters may be wrong, at least two.
  let least = Math.max(2, Math.floor(written.length / 3)) + 1;
  for (const candidate of known) {
    const edits = distance(written, plain(candidate));
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Levenshtein: letters to insert, remove or replace. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
