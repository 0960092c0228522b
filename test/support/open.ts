import { TOKEN_OPTIONS } from '../../src/access.ts';
import type { ServerOptions } from '../../src/index.ts';

/** The options, with everything open that they leave to tokens or hooks of nobody's: for tests of something else. */
export function withRestOpen(options: ServerOptions = {}): ServerOptions {
  const { authorize } = options;
  const hook = (action: 'watch' | 'publish' | 'observe') =>
    typeof authorize === 'function' || authorize?.[action] !== undefined;
  const left = (['watch', 'publish', 'observe'] as const).filter(
    (action) => options[TOKEN_OPTIONS[action]] === undefined && !hook(action),
  );
  return { open: left, ...options };
}
