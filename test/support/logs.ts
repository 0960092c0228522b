import { configure, reset } from '@logtape/logtape';

/** The messages that the server logs while `use` runs, warnings and worse unless told otherwise. */
export async function withLogs(
  use: (messages: string[]) => Promise<void>,
  lowestLevel: 'debug' | 'warning' = 'warning',
): Promise<void> {
  const messages: string[] = [];
  await configure({
    sinks: { memory: ({ message }) => messages.push(message.join('')) },
    loggers: [
      { category: 'fetch-whep', sinks: ['memory'], lowestLevel },
      { category: ['logtape', 'meta'], lowestLevel: 'error', sinks: ['memory'] },
    ],
  });
  try {
    await use(messages);
  } finally {
    await reset();
  }
}
