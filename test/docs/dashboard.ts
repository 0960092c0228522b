import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createServer } from '../../src/index.ts';
import { METRICS } from '../../src/metrics.ts';
import { DOCUMENTS } from '../support/documents.ts';
import { FakeEngine } from '../support/fake-engine.ts';

const test = suite('the Grafana dashboard');

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

interface Variable {
  name: string;
  type: string;
  definition?: string;
}

const dashboard = JSON.parse(readFileSync('docs/grafana.json', 'utf8')) as {
  panels: Panel[];
  templating: { list: Variable[] };
};

/** What Prometheus adds to every series. */
const OF_THE_SCRAPE = ['job', 'instance'];

interface Series {
  counts: boolean;
  labels: Set<string>;
}

/** Every series of a scrape by its name: what is exposed right now, and the labels of rows that nothing has happened to. */
async function exposed(): Promise<Map<string, Series>> {
  const server = await createServer({ engine: new FakeEngine(), streams: { live: 'clip' } });
  const text = await server.metrics();
  await server.close();
  const series = new Map<string, Series>();
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const row = METRICS.find((each) => each.name === name);
    const known = row !== undefined && 'labels' in row ? row.labels : [];
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const suffix of suffixes) {
      const labels = new Set([...known, ...labelsIn(text, name + suffix), ...OF_THE_SCRAPE]);
      if (suffix === '_bucket') labels.add('le');
      series.set(name + suffix, { counts: type !== 'gauge', labels });
    }
  }
  return series;
}

function labelsIn(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} `, 'gm'))].flatMap(([, labels = '']) =>
    [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
  );
}

/** Calls `fault` for everything in a query that the server does not expose; gives the labels of its result. */
function check(query: string, series: Map<string, Series>, fault: (what: string) => void): Set<string> {
  const text = query.replaceAll('$__rate_interval', '1m');
  const of = (node: { from: number; to: number }) => text.slice(node.from, node.to);
  const found = new Set<string>();
  let grouped: string[] | undefined;
  parser.parse(text).iterate({
    enter: ({ node, type }) => {
      if (type.isError) fault(`cannot be read at ${node.from}`);
      if (type.name === 'GroupingLabels') grouped = node.getChildren('LabelName').map(of);
      if (type.name !== 'VectorSelector') return;
      const identifier = node.getChild('Identifier');
      const name = identifier === null ? '' : of(identifier);
      const known = series.get(name);
      if (known === undefined) {
        fault(`there is no ${name}`);
        return;
      }
      for (const label of known.labels) found.add(label);
      for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
        const label = matcher.getChild('LabelName');
        if (label !== null && !known.labels.has(of(label))) fault(`${name} has no label ${of(label)}`);
      }
      if ((node.parent?.name === 'MatrixSelector') !== known.counts) fault(`${name}: a rate belongs to what counts`);
    },
  });
  for (const label of grouped ?? []) if (!found.has(label)) fault(`nothing has the label ${label}`);
  return new Set(grouped ?? (/\b(sum|max|avg|min)\b/.test(text) ? [] : found));
}

test('every query names series and labels that a scrape has', async () => {
  const series = await exposed();
  const faults: string[] = [];
  for (const { title, type, targets = [] } of dashboard.panels) {
    assert.is(targets.length > 0, type !== 'row', title);
    for (const { expr, legendFormat } of targets) {
      const labels = check(expr, series, (what) => faults.push(`${title}: ${what} in ${expr}`));
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        if (!labels.has(label)) faults.push(`${title}: the legend has no ${label}`);
      }
    }
  }
  for (const { name, definition } of dashboard.templating.list) {
    const [, selector, label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? [];
    if (selector === undefined) continue;
    const labels = check(selector, series, (what) => faults.push(`$${name}: ${what}`));
    if (!labels.has(label)) faults.push(`$${name}: no label ${label}`);
  }
  assert.equal(faults, []);
});

test('the check finds what is wrong', async () => {
  const series = await exposed();
  for (const [query, fault] of [
    ['sum(whep_watchers)', /there is no whep_watchers/],
    ['whep_viewers{viewer="1"}', /whep_viewers has no label viewer/],
    ['sum by (reason) (whep_viewers)', /nothing has the label reason/],
    ['rate(whep_viewers[1m])', /a rate belongs to what counts/],
    ['whep_nacks_total', /a rate belongs to what counts/],
    ['sum(rate(whep_nacks_total[1m])', /cannot be read/],
  ] as const) {
    const faults: string[] = [];
    check(query, series, (what) => faults.push(what));
    assert.match(faults.join(), fault, query);
  }
});

test('every metric that a document names is one of the server', async () => {
  const series = await exposed();
  const families = new Set([...series.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, '')));
  for (const document of DOCUMENTS) {
    for (const [name] of readFileSync(document, 'utf8').matchAll(/\bwhep_\w+/g)) {
      assert.ok(families.has(name), `${document}: ${name}`);
    }
  }
});

test('its variables are those it uses, and every panel has its own place', () => {
  const text = JSON.stringify(dashboard);
  const declared = dashboard.templating.list.map(({ name }) => name);
  const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name = '']) => name));
  assert.equal([...used].sort(), [...declared].sort());
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  assert.is(new Set(cells).size, cells.length);
  assert.is(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});

test.run();
