/** The first value that `look` gives other than undefined and false; throws after `limit` milliseconds. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limit = 10_000,
): Promise<T> {
  const deadline = performance.now() + limit;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${limit} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A count, when it has not changed for a while. */
export function settled(count: () => Promise<number>): Promise<number> {
  let last: number | undefined;
  return eventually('a count that stays', async () => {
    const now = await count();
    const stays = now === last;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return stays && now;
  });
}
