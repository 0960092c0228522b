/** How long a hook may take: a client has given up by then. Milliseconds. */
const PATIENCE = 10_000;

/** What a hook of the program around us answers. Rejects when it throws, or when it does not come to an end. */
export async function ask<Answer>(name: string, hook: () => Answer | Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`the ${name} hook took longer than ${PATIENCE / 1000} s`));
    timer = setTimeout(giveUp, PATIENCE).unref();
  });
  try {
    return await Promise.race([hook(), late]);
  } finally {
    clearTimeout(timer);
  }
}
