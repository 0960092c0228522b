export interface Work {
  /** Of lists. */
  elements: number;
  /** Of texts. */
  characters: number;
}

const OF_LISTS = [
  ...['filter', 'find', 'findIndex', 'some', 'every', 'map', 'flatMap', 'forEach', 'includes', 'indexOf'],
  ...['reduce', 'join', 'flat', 'toSorted', 'concat', Symbol.iterator],
];
const OF_TEXTS = ['split', 'replace', 'replaceAll', 'match', 'trim', 'trimEnd', 'toLowerCase'];

interface Call {
  self: unknown;
  argument: unknown;
  /** Where an expression that goes on began. */
  before: number;
  result: unknown;
}

/**
 * What `run` asks of the language: a call of a method counts as much as it may have to look at, the whole list or text.
 * So it is the same on any machine, however busy.
 */
export function workOf(run: () => void): Work {
  const work = { elements: 0, characters: 0 };
  const restore: (() => void)[] = [];
  const watch = (owner: object, names: readonly PropertyKey[], count: (call: Call) => void) => {
    for (const name of names) restore.push(replace(owner, name, count));
  };
  watch(Array.prototype, OF_LISTS, ({ self }) => {
    if (Array.isArray(self)) work.elements += 1 + self.length;
  });
  watch(Array.prototype, ['slice'], ({ result }) => {
    if (Array.isArray(result)) work.elements += 1 + result.length;
  });
  for (const owner of [Map.prototype, Set.prototype]) {
    watch(owner, ['has', Symbol.iterator], ({ self, argument }) => {
      const walked = argument === undefined && (self instanceof Map || self instanceof Set) ? self.size : 0;
      work.elements += 1 + walked;
    });
  }
  watch(String.prototype, OF_TEXTS, ({ self }) => {
    if (typeof self === 'string') work.characters += 1 + self.length;
  });
  watch(RegExp.prototype, ['exec', 'test'], ({ self, argument, before }) => {
    if (self instanceof RegExp && typeof argument === 'string') work.characters += 1 + looked(self, argument, before);
  });
  try {
    run();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
  return work;
}

/** One that goes on where it was has looked at what lies between; a sticky one that failed, at nothing. */
function looked({ global, sticky, lastIndex }: RegExp, text: string, before: number): number {
  if ((global || sticky) && lastIndex > before) return lastIndex - before;
  return sticky ? 0 : text.length - before;
}

/** Returns what undoes it. */
function replace(owner: object, name: PropertyKey, count: (call: Call) => void): () => void {
  const original = Object.getOwnPropertyDescriptor(owner, name);
  if (original === undefined) throw new Error(`there is no ${String(name)}`);
  const method: (...given: unknown[]) => unknown = original.value;
  const value = function (this: unknown, ...given: unknown[]): unknown {
    const before = this instanceof RegExp ? this.lastIndex : 0;
    const result = method.apply(this, given);
    count({ self: this, argument: given[0], before, result });
    return result;
  };
  Object.defineProperty(owner, name, { ...original, value });
  return () => Object.defineProperty(owner, name, original);
}
