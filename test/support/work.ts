const LISTS = [
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
const MORE_LISTS = ['reduce', 'slice', 'join', 'flat', 'toSorted', 'concat'] as const;
const TEXTS = ['split', 'replace', 'replaceAll', 'match', 'trim', 'trimEnd', 'toLowerCase'] as const;

/**
 * What `run` asks of the language, in elements and characters: a call of a method counts as much as it may have to look
 * at, the whole list or text. So the same on any machine, however busy.
 */
export function workOf(run: () => void): number {
  let work = 0;
  const restore: (() => void)[] = [];
  const count = (
    owner: object,
    name: PropertyKey,
    sizeOf: (self: unknown, argument: unknown, before: number) => number,
  ) => {
    const original = Object.getOwnPropertyDescriptor(owner, name);
    if (original === undefined) throw new Error(`there is no ${String(name)}`);
    const method: (...given: unknown[]) => unknown = original.value;
    const value = function (this: unknown, ...given: unknown[]): unknown {
      const before = this instanceof RegExp ? this.lastIndex : 0;
      const result = method.apply(this, given);
      work += 1 + sizeOf(this, given[0], before);
      return result;
    };
    Object.defineProperty(owner, name, { ...original, value });
    restore.push(() => Object.defineProperty(owner, name, original));
  };
  const own = (self: unknown) => (Array.isArray(self) || typeof self === 'string' ? self.length : 0);
  // One that goes on where it was has looked at what lies between.
  const read = (self: unknown, text: unknown, before: number) => {
    const goesOn = self instanceof RegExp && (self.global || self.sticky);
    return goesOn && self.lastIndex > before ? self.lastIndex - before : goesOn && self.sticky ? 0 : own(text) - before;
  };
  for (const name of [...LISTS, ...MORE_LISTS, Symbol.iterator]) count(Array.prototype, name, own);
  for (const name of TEXTS) count(String.prototype, name, own);
  for (const name of ['exec', 'test'] as const) count(RegExp.prototype, name, read);
  for (const owner of [Map.prototype, Set.prototype]) {
    count(owner, 'has', () => 0);
    count(owner, Symbol.iterator, (self) => (self instanceof Map || self instanceof Set ? self.size : 0));
  }
  try {
    run();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
  return work;
}
