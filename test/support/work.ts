export interface Work {
  /** Of lists. */
  elements: number;
  /** Of texts. */
  characters: number;
}

const OF_LISTS = [
  'filter',
  'find',
  'findIndex',
  'some',
  'every',
  'map',
  'flatMap',
  'forEach',
  'includes',
  'indexOf',
] as const;
const ALSO_OF_LISTS = ['reduce', 'join', 'flat', 'toSorted', 'concat', Symbol.iterator] as const;
const OF_TEXTS = ['split', 'replace', 'replaceAll', 'match', 'trim', 'trimEnd', 'toLowerCase'] as const;

/**
 * What `run` asks of the language: a call of a method counts as much as it may have to look at, the whole list or text.
 * So it is the same on any machine, however busy.
 */
export function workOf(run: () => void): Work {
  const work = { elements: 0, characters: 0 };
  const restore: (() => void)[] = [];
  const watch = (
    owner: object,
    name: PropertyKey,
    count: (self: unknown, argument: unknown, before: number) => void,
  ) => {
    const original = Object.getOwnPropertyDescriptor(owner, name);
    if (original === undefined) throw new Error(`there is no ${String(name)}`);
    const method: (...given: unknown[]) => unknown = original.value;
    const value = function (this: unknown, ...given: unknown[]): unknown {
      const before = this instanceof RegExp ? this.lastIndex : 0;
      const result = method.apply(this, given);
      count(this, given[0], before, result);
      return result;
    };
    Object.defineProperty(owner, name, { ...original, value });
    restore.push(() => Object.defineProperty(owner, name, original));
  };
  for (const name of [...OF_LISTS, ...ALSO_OF_LISTS]) {
    watch(Array.prototype, name, (self) => {
      if (Array.isArray(self)) work.elements += 1 + self.length;
    });
  }
  watch(Array.prototype, 'slice', (_self, _argument, _before, result) => {
    if (Array.isArray(result)) work.elements += 1 + result.length;
  });
  for (const owner of [Map.prototype, Set.prototype]) {
    watch(owner, Symbol.iterator, (self) => {
      if (self instanceof Map || self instanceof Set) work.elements += 1 + self.size;
    });
    watch(owner, 'has', () => {
      work.elements++;
    });
  }
  for (const name of OF_TEXTS) {
    watch(String.prototype, name, (self) => {
      if (typeof self === 'string') work.characters += 1 + self.length;
    });
  }
  for (const name of ['exec', 'test'] as const) {
    watch(RegExp.prototype, name, (self, text, before) => {
      if (!(self instanceof RegExp) || typeof text !== 'string') return;
      // One that goes on where it was has looked at what lies between.
      const goesOn = self.global || self.sticky;
      const at = goesOn && self.lastIndex > before ? self.lastIndex : goesOn && self.sticky ? before : text.length;
      work.characters += 1 + at - before;
    });
  }
  try {
    run();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
  return work;
}
