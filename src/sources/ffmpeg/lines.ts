/** Longer lines lose their end. */
const columns = 400;

/** Hands over whole lines of a text that comes in pieces; holds no more than one line. */
export function inLines(take: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split(/[\r\n]+/);
    rest = (lines.pop() ?? '').slice(0, columns + 1);
    for (const line of lines) if (line !== '') take(cut(line));
  };
}

/** Between words: in half a URL or password nobody would know the secret that it is. */
function cut(line: string): string {
  return line.length <= columns ? line : line.slice(0, columns + 1).replace(/\S*$/, '...');
}
