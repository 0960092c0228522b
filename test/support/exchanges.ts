import type { Page, Response } from 'playwright-core';
import { stats } from '../../src/http/schemas.ts';
import { checkAnswer } from './answer-rules.ts';
import { factsOf } from './facts.ts';

/** The offers that a page made, and their answers, judged by the rules. */
export class Exchanges {
  readonly #broken: Promise<string[]>[] = [];

  constructor(page: Page) {
    page.on('response', (response) => {
      const [, before, protocol, id = ''] = /^(.*)\/(wh[ei]p)\/([^/?]+)[^/]*$/.exec(response.url()) ?? [];
      if (response.status() !== 201 || before === undefined) return;
      const role = protocol === 'whip' ? 'publish' : 'watch';
      const broken = judged(page, response, `${before}/webrtc/stats`, id, role);
      // Who closes the page without asking does not want to know.
      broken.catch(() => {});
      this.#broken.push(broken);
    });
  }

  /** The rules that answers so far break. Rejects when one could not be had. */
  async broken(): Promise<string[]> {
    return (await Promise.all(this.#broken)).flat();
  }
}

async function judged(page: Page, response: Response, url: string, id: string, role: 'watch' | 'publish') {
  const [asked, answer] = await Promise.all([page.request.get(url), response.text()]);
  const { streams } = stats.parse(await asked.json());
  return checkAnswer(response.request().postData() ?? '', answer, factsOf(streams[id] ?? {}), role);
}
