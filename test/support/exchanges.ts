import type { Page, Response } from 'playwright-core';
import { stats } from '../../src/http/schemas.ts';
import { checkAnswer } from './answer-rules.ts';
import { factsOf } from './facts.ts';

/** The offers that a page made, and their answers, judged by the rules. */
export class Exchanges {
  readonly #judged: Promise<string[] | undefined>[] = [];

  constructor(page: Page) {
    page.on('response', (response) => {
      const [, before, protocol, id = ''] = /^(.*)\/(wh[ei]p)\/([^/?]+)[^/]*$/.exec(response.url()) ?? [];
      if (response.status() !== 201 || before === undefined) return;
      const role = protocol === 'whip' ? 'publish' : 'watch';
      // The text of an answer goes with its page, the statistics with their server.
      this.#judged.push(judge(page, response, `${before}/webrtc/stats`, id, role).catch(() => undefined));
    });
  }

  /** The rules that answers so far break; one entry as well when none of them could be read. */
  async broken(): Promise<string[]> {
    const judged = (await Promise.all(this.#judged)).filter((each) => each !== undefined);
    return judged.length === 0 ? ['no answer could be read'] : judged.flat();
  }
}

async function judge(page: Page, response: Response, url: string, id: string, role: 'watch' | 'publish') {
  const [asked, answer] = await Promise.all([page.request.get(url), response.text()]);
  const { streams } = stats.parse(await asked.json());
  return checkAnswer(response.request().postData() ?? '', answer, factsOf(streams[id] ?? {}), role);
}
