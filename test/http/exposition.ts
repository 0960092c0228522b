import parse from 'parse-prometheus-text-format';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer, type Server, type ServerOptions } from '../../src/index.ts';
import { Client } from '../support/contract/client.ts';
import { FakeEngine } from '../support/fake-engine.ts';

/** The text of a scrape, as parsers of others read it. */
const test = suite('metrics as text');

async function start(options: ServerOptions = {}): Promise<{ engine: FakeEngine; server: Server; client: Client }> {
  const engine = new FakeEngine();
  const server = await createServer({ engine, streams: { live: 'clip' }, ...options });
  return { engine, server, client: new Client({ ...server, engine }) };
}

test('histograms are cumulative and end with +Inf, as a parser reads them', async () => {
  const { engine, client, server } = await start({ processMetrics: false });
  engine.script.snapshot = (snapshot) => {
    snapshot.histograms.rttSeconds = { bounds: [0.05, 0.1, 1], counts: [2, 5, 9], sum: 4.5, count: 11 };
    return snapshot;
  };
  const rtt = parse((await client.send('GET', '/metrics')).text).find(({ name }) => name === 'whep_rtt_seconds');
  assert.equal(rtt?.metrics, [
    { buckets: { '0.05': '2', '0.1': '5', '1': '9', '+Inf': '11' }, count: '11', sum: '4.5' },
  ]);
  await server.close();
});

test('in OpenMetrics each sample follows the type of its family, by a name that the type allows', async () => {
  const { client, server } = await start();
  await client.watch();
  const headers = { Accept: 'application/openmetrics-text' };
  const lines = (await client.send('GET', '/metrics', { headers })).text.split('\n');
  const suffixes: Record<string, RegExp> = { counter: /^_total$/, gauge: /^$/, histogram: /^_(bucket|sum|count)$/ };
  const families = new Set<string>();
  let [family, type] = ['', ''];
  for (const line of lines.slice(0, -2)) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'TYPE') [family, type] = [name, rest];
    else if (kind === 'HELP') assert.not(families.has(name), `${name} a second time`);
    else {
      assert.ok(line.startsWith(family), line);
      const [sample = ''] = line.split(/[{ ]/);
      assert.match(sample.slice(family.length), suffixes[type] ?? /never/, line);
    }
    families.add(family);
  }
  assert.ok(families.has('whep_requests') && families.has('process_cpu_seconds') && families.size > 30);
  assert.equal(lines.slice(-2), ['# EOF', '']);
  await server.close();
});

test('two servers in one process count apart, and share the metrics of the process', async () => {
  const [one, two] = [await start(), await start()];
  await one.client.watch();
  assert.is(await one.client.metric('whep_viewers{stream="live"}'), 1);
  assert.is(await two.client.metric('whep_viewers{stream="live"}'), 0);
  for (const { server } of [one, two]) {
    const families = parse(await server.metrics());
    assert.ok(families.some(({ name }) => name === 'process_cpu_seconds_total'));
    assert.ok(families.some(({ name }) => name === 'process_resident_memory_bytes'));
    await server.close();
  }
});

test.run();
