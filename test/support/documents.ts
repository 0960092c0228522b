import { readFileSync } from 'node:fs';

/** What a person reads; each block of code in it is checked. */
export const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'docs/guide.md', 'docs/architecture.md'];

export interface Block {
  /** Document and line, for messages. */
  place: string;
  language: string;
  text: string;
}

export function blocks(language?: string): Block[] {
  const all = DOCUMENTS.flatMap(blocksOf);
  return language === undefined ? all : all.filter((block) => block.language === language);
}

function blocksOf(document: string): Block[] {
  const text = readFileSync(document, 'utf8');
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: code = '', index }) => ({
    place: `${document}:${text.slice(0, index).split('\n').length}`,
    language,
    text: code,
  }));
}

export interface Command {
  place: string;
  /** Program and arguments, as a shell would split them. */
  words: string[];
}

/** The commands of all `sh` blocks, one on each line. */
export function commands(): Command[] {
  return blocks('sh').flatMap(({ place, text }) =>
    text
      .split('\n')
      .map((line) => ({ place, words: wordsOf(line) }))
      .filter(({ words }) => words.length > 0),
  );
}

/** Words and quotes; what follows a `#` is a remark. Throws for anything else that a shell would act on. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:[^\s"'#]|"[^"]*"|'[^']*'|(?<=\S)#)+|#.*/g)) {
    if (word.startsWith('#')) break;
    if (/[|;&<>$`\\]/.test(word.replace(/"[^"]*"|'[^']*'/g, ''))) throw new Error(`the test cannot read ${line}`);
    words.push(word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
  }
  return words;
}
