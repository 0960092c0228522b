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
  const count = (owner: object, name: PropertyKey, sizeOf: (self: unknown, argument: unknown) => number) => {
    const original = Object.getOwnPropertyDescriptor(owner, name);
    if (original === undefined) throw new Error(`there is no ${String(name)}`);
    const method: (...given: unknown[]) => unknown = original.value;
    const value = function (this: unknown, ...given: unknown[]): unknown {
      work += 1 + sizeOf(this, given[0]);
      return method.apply(this, given);
    };
    Object.defineProperty(owner, name, { ...original, value });
    restore.push(() => Object.defineProperty(owner, name, original));
  };
  const own = (self: unknown) => (Array.isArray(self) || typeof self === 'string' ? self.length : 0);
  const given = (_: unknown, argument: unknown) => own(argument);
  for (const name of [...LISTS, ...MORE_LISTS, Symbol.iterator]) count(Array.prototype, name, own);
  for (const name of TEXTS) count(String.prototype, name, own);
  for (const name of ['exec', 'test'] as const) count(RegExp.prototype, name, given);
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
