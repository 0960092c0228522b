import process from 'node:process';

/** For people alone: on a terminal, unless they said no (https://no-color.org). */
export function isColoured(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR;
}
