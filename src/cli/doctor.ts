import process from 'node:process';
import { isColoured } from './colour.ts';
import { configure } from './configuration.ts';
import { type Check, type Verdict, worst } from './doctor/check.ts';
import { ffmpegChecks } from './doctor/ffmpeg.ts';
import { fileLimit, kernelChecks } from './doctor/machine.ts';
import { networkChecks } from './doctor/network.ts';
import { accessChecks } from './exposure.ts';

/** Looks at what `serve` with the same options would need; resolves with the exit code: 1 for a problem. Throws `UsageError`. */
export async function doctorCommand(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const configuration = configure(args, 'doctor', [{ name: 'json', bare: true }]);
  const { settings } = configuration;
  const [network, ffmpeg] = await Promise.all([networkChecks(configuration), ffmpegChecks(settings)]);
  // A process holds one engine, since both are made of the same library: the portable one was asked for.
  const kernel = settings.engine === 'portable' ? [] : kernelChecks();
  const checks = [...network, ...accessChecks(configuration), ...kernel, fileLimit(settings.maxViewers), ...ffmpeg];
  const verdict = worst(checks);
  process.stdout.write(configuration.has('json') ? `${JSON.stringify({ verdict, checks })}\n` : report(checks));
  return verdict === 'problem' ? 1 : 0;
}

const COLOURS: Record<Verdict, string> = { ok: '32', warning: '33', problem: '31' };

function report(checks: readonly Check[]): string {
  const coloured = isColoured(process.stdout);
  const paint = (verdict: Verdict, text: string) => (coloured ? `\x1b[${COLOURS[verdict]}m${text}\x1b[0m` : text);
  const width = Math.max(...checks.map(({ name }) => name.length)) + 2;
  const indent = ' '.repeat('warning  '.length + width);
  const lines = checks.flatMap(({ name, verdict, found, cure }) => [
    `${paint(verdict, verdict.padEnd('warning  '.length))}${name.padEnd(width)}${found}`,
    ...(cure === undefined ? [] : [`${indent}-> ${cure}`]),
  ]);
  const count = (verdict: Verdict) => {
    const number = checks.filter((check) => check.verdict === verdict).length;
    return `${number} ${verdict}${number === 1 ? '' : 's'}`;
  };
  return `${lines.join('\n')}\n\n${count('problem')}, ${count('warning')}\n`;
}

const USAGE = `Usage: fetch-whep doctor [--json] [serve options]

Looks at what serve would need with the same options (--host, --port, --media-host, --config and so on) and tells for
each thing whether it is ok, works but could be better (warning), or is broken (problem), and what to change: the
engine, its ports, a WHEP round trip on this machine with real media, the addresses that viewers are told, who may do
what, UDP offload and buffers of the kernel, the limit of open files, FFmpeg and its encoders. Nothing is changed. Takes
a second or two.

  --json  one line of JSON: {"verdict":"ok","checks":[{"name":"engine","verdict":"ok","found":"...","cure":"..."}]}

Exit code 0: nothing is broken. 1: something is. 2: the command line or the config file is wrong.
`;
