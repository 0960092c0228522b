import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ffmpegSource } from '../../src/sources/ffmpeg.ts';
import { Clock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { withPrograms } from '../support/fake-programs.ts';
import { ingressOf, startOn } from '../support/legs.ts';
import { withLogs } from '../support/logs.ts';
import { processes } from '../support/process.ts';

const test = suite('ffmpeg source, with an FFmpeg of the test');

const found = `echo '{"streams":[{"codec_type":"video"}]}'`;
/** Counts its starts in a file beside itself. */
const counted = 'echo start >>"$(dirname "$0")/starts"';
const progress = 'echo frame=$i; echo fps=30.00; echo speed=1.01x; echo progress=continue';

function alive(pid: number): boolean {
  return processes().some((each) => each.pid === pid);
}

function firstLine(path: string): string | undefined {
  return existsSync(path) ? /^(.+)\n/.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
}

function starts(folder: string): number {
  const path = join(folder, 'starts');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').length : 0;
}

/** A source with a script for FFmpeg, started. */
async function withFfmpeg(
  script: string,
  use: (source: ReturnType<typeof ffmpegSource>, folder: string) => Promise<void>,
  spec: Parameters<typeof ffmpegSource>[0] = { input: 'x.mp4' },
): Promise<void> {
  await withPrograms({ ffprobe: found, ffmpeg: script }, async (folder) => {
    const source = ffmpegSource(spec);
    await ingressOf(source);
    await startOn(source, { video: 9 });
    try {
      await use(source, folder);
    } finally {
      await source.stop();
    }
  });
}

test('an FFmpeg that ignores SIGTERM is killed', async () => {
  // Recording its id comes last: from then on it is deaf.
  const deaf = `trap '' TERM; echo $$ >"$(dirname "$0")/pid"; while :; do sleep 0.1; done`;
  await withFfmpeg(deaf, async (source, folder) => {
    const pid = Number(await eventually('the process', () => firstLine(join(folder, 'pid'))));
    assert.ok(alive(pid));
    await source.stop();
    assert.not(alive(pid));
  });
});

test('a crash loop goes on at a growing pace, says why, and hides secrets', async () => {
  const crash = `${counted}; echo "rtsp://me:p@w1@cam/live?key=pw2: Connection refused by hunter2" >&2; exit 3`;
  const input = 'rtsp://me:p@w1@cam/live?key=pw2';
  await withLogs(async (messages) => {
    const spec = { input, args: ['-rtsp_transport', 'tcp', '-password', 'hunter2'] };
    await withFfmpeg(
      crash,
      async (source, folder) => {
        assert.is(source.describe(), 'ffmpeg:rtsp://***@cam/live?***');
        await eventually('three warnings', () => messages.filter((each) => each.includes('ended')).length >= 3);
        const { ffmpeg } = source.report?.() ?? {};
        assert.ok((ffmpeg?.restarts ?? 0) >= 2);
        assert.is(ffmpeg?.lastError, 'exit code 3: the input: Connection refused by ***');
        assert.ok(starts(folder) >= 3);
      },
      spec,
    );
    const warnings = messages.filter((each) => each.includes('ended'));
    const pauses = warnings.map((message) => Number(/again in (\d+) ms/.exec(message)?.[1]));
    assert.ok((pauses[0] ?? 0) <= 250 && (pauses[2] ?? 0) >= 500, `pauses ${pauses}`);
    for (const warning of warnings) assert.match(warning, /cam1.*exit code 3\s+rtsp:.*Connection refused/s);
    assert.ok(messages.some((each) => each.includes('-rtsp_transport tcp -password ***')));
    for (const message of messages) assert.not.match(message, /w1|pw2|hunter2/);
  }, 'debug');
});

test('noise without end on standard error keeps nothing but its tail', async () => {
  const noisy = `i=0; while [ $i -lt 20000 ]; do echo "noise $i" >&2; i=$((i + 1)); done; echo last words >&2; exit 1`;
  await withLogs(async (messages) => {
    await withFfmpeg(noisy, async (source) => {
      const message = await eventually('the warning', () => messages[0]);
      assert.ok(message.length < 20_000);
      assert.match(message, 'last words');
      assert.is(source.report?.().ffmpeg?.lastError, 'exit code 1: last words');
    });
  });
});

test('where a long line is cut, no half of a secret is left', async () => {
  const long = 'x'.repeat(380);
  const said = `echo "${long} rtsp://me:hunter-two-three-four@cam/live: refused" >&2; exit 1`;
  await withLogs(async (messages) => {
    await withFfmpeg(said, async () => {
      const message = await eventually('the warning', () => messages[0]);
      assert.match(message, long);
      assert.not.match(message, 'hunter');
    });
  });
});

test('a line without end fills no memory', async () => {
  const endless = 'head -c 5000000 /dev/zero | tr "\\0" x >&2; head -c 5000000 /dev/zero | tr "\\0" y; exit 1';
  await withLogs(async (messages) => {
    await withFfmpeg(endless, async () => {
      assert.ok((await eventually('the warning', () => messages[0])).length < 20_000);
    });
  });
});

test('an FFmpeg that goes silent is started anew; one that makes progress is not', async () => {
  // Three blocks over more than the limit, then nothing.
  const silent = `${counted}; i=0; while [ $i -lt 9 ]; do i=$((i + 1)); ${progress}; sleep 0.2; done; exec sleep 60`;
  const spec = { input: 'x.mp4', stallSeconds: 1 };
  await withFfmpeg(
    silent,
    async (source, folder) => {
      const running = await eventually('progress', () => {
        const { ffmpeg } = source.report?.() ?? {};
        return (ffmpeg?.progress.frames ?? 0) >= 8 && ffmpeg;
      });
      assert.equal([running.restarts, running.progress.framesPerSecond, running.progress.speed], [0, 30, 1.01]);
      await eventually('a second start', () => starts(folder) > 1);
      assert.is(source.report?.().ffmpeg?.lastError, 'no progress for 1 s');
      await eventually('the count', () => source.report?.().ffmpeg?.restarts === 1);
    },
    spec,
  );
});

test('progress that does not move is none', async () => {
  const stuck = `${counted}; i=1; while :; do ${progress}; sleep 0.1; done`;
  await withFfmpeg(stuck, async (_, folder) => void (await eventually('a restart', () => starts(folder) > 1)), {
    input: 'x.mp4',
    stallSeconds: 0.5,
  });
});

test('the states are told: probing, running, waiting, stopped', async () => {
  const gate = 'until [ -e "$(dirname "$0")/go" ]; do sleep 0.05; done';
  const scripts = { ffprobe: `${gate}; ${found}`, ffmpeg: 'sleep 1; exit 1' };
  await withPrograms(scripts, async (folder) => {
    const source = ffmpegSource({ input: 'tcp://127.0.0.1:9' });
    const state = () => source.report?.().ffmpeg?.state;
    assert.is(state(), undefined);
    await ingressOf(source);
    await startOn(source, { video: 9 });
    assert.is(state(), 'probing');
    await withLogs(async () => {
      writeFileSync(join(folder, 'go'), '');
      await eventually('running', () => state() === 'running');
      await eventually('waiting', () => state() === 'waiting');
      await source.stop();
    });
    assert.is(state(), 'stopped');
  });
});

/** Writes its id beside itself, and then does nothing for long. */
const hangs = 'echo $$ >"$(dirname "$0")/pid"; exec sleep 300';

test('a URL is not looked at before its stream is there, and its legs are those that it turns out to have', async () => {
  const scripts = { ffprobe: `${counted}; ${found}`, ffmpeg: 'exec sleep 300' };
  await withPrograms(scripts, async (folder) => {
    const source = ffmpegSource({ input: 'tcp://127.0.0.1:9' });
    assert.equal(await ingressOf(source), {
      ...{ kind: 'rtp', host: '127.0.0.1' },
      ...{ video: { port: 0, codec: 'h264' }, audio: { port: 0, codec: 'opus' } },
    });
    assert.equal([starts(folder), source.legs?.()], [0, undefined]);
    await startOn(source, { video: 9, audio: 11 });
    assert.equal(await eventually('the legs', () => source.legs?.()), ['video']);
    await source.stop();
  });
});

test('stop does not wait for a probe that hangs', async () => {
  await withPrograms({ ffprobe: hangs, ffmpeg: 'exit 1' }, async (folder) => {
    const source = ffmpegSource({ input: 'tcp://127.0.0.1:9' });
    await ingressOf(source);
    await startOn(source, { video: 9 });
    const pid = Number(await eventually('the probe', () => firstLine(join(folder, 'pid'))));
    await source.stop();
    assert.not(alive(pid));
  });
});

test('a file that is being looked at is let go when nobody wants to know any more', async () => {
  await withPrograms({ ffprobe: hangs }, async (folder) => {
    const source = ffmpegSource({ input: 'film.mp4' });
    const leaving = new AbortController();
    assert.type(source.ingress, 'function');
    const looked = (typeof source.ingress === 'function' ? source.ingress(leaving.signal) : Promise.resolve()).then(
      () => 'found',
      () => 'given up',
    );
    const pid = Number(await eventually('the probe', () => firstLine(join(folder, 'pid'))));
    leaving.abort();
    assert.is(await looked, 'given up');
    assert.not(alive(pid));
  });
});

test('after a run that was well the next pause is the first again', async () => {
  // The first three lives end at once, the fourth when it is told to.
  const script = `${counted}; [ "$(wc -l <"$(dirname "$0")/starts")" -lt 4 ] && exit 1
until [ -e "$(dirname "$0")/end" ]; do sleep 0.05; done; exit 1`;
  await withLogs(async (messages) => {
    const clock = new Clock();
    try {
      await withFfmpeg(script, async (source, folder) => {
        const pauses = () => messages.flatMap((each) => /again in (\d+) ms/.exec(each)?.[1] ?? []).map(Number);
        const state = () => source.report?.().ffmpeg?.state;
        // Time passes in the pauses alone, however long the short lives really take.
        const until = async (what: string, look: () => boolean) => {
          const deadline = Date.now() + 30_000;
          while (!look()) {
            if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
            await clock.advance(state() === 'waiting' ? 50 : 0);
          }
        };
        await until('the fourth life', () => starts(folder) === 4 && state() === 'running');
        await clock.advance(6_000);
        writeFileSync(join(folder, 'end'), '');
        await until('its end', () => pauses().length === 4);
        const [, , third = 0, fourth = 0] = pauses();
        assert.ok(third >= 500 && fourth <= 250, `pauses ${pauses()}`);
      });
    } finally {
      clock.restore();
    }
  });
});

test('the input reaches FFmpeg as one argument that no shell reads', async () => {
  const record =
    'for each in "$@"; do echo "$each"; done >"$(dirname "$0")/arguments.new"; mv "$(dirname "$0")/arguments.new" "$(dirname "$0")/arguments"; sleep 60';
  await withPrograms({ ffprobe: found, ffmpeg: record }, async (folder) => {
    const input = `a b'c"$(touch ${folder}/pwned);\`touch ${folder}/pwned\`.mp4`;
    const source = ffmpegSource({ input });
    await ingressOf(source);
    await startOn(source, { video: 9 });
    const path = join(folder, 'arguments');
    await eventually('the arguments', () => existsSync(path));
    await source.stop();
    const args = readFileSync(path, 'utf8').split('\n');
    assert.is(args[args.indexOf('-i') + 1], input);
    assert.not(existsSync(join(folder, 'pwned')));
  });
});

test('neither FFmpeg nor ffprobe sees more of the environment than it needs', async () => {
  const record = (name: string) => `d="$(dirname "$0")"; env >"$d/${name}.new"; mv "$d/${name}.new" "$d/${name}"`;
  const secrets = { FETCH_WHEP_TOKEN: 'hunter2', AWS_SECRET_ACCESS_KEY: 'hunter3', FFREPORT: 'file=hunter4' };
  const needed = { https_proxy: 'http://proxy.example', NO_PROXY: 'camera.example', LANG: 'C.UTF-8' };
  const before = { ...process.env };
  Object.assign(process.env, secrets, needed);
  try {
    const scripts = { ffprobe: `${record('probed')}; ${found}`, ffmpeg: `${record('ran')}; exec sleep 60` };
    await withPrograms(scripts, async (folder) => {
      const source = ffmpegSource({ input: 'x.mp4' });
      await ingressOf(source);
      await startOn(source, { video: 9 });
      for (const name of ['probed', 'ran']) {
        const path = join(folder, name);
        await eventually(`the environment of what ${name}`, () => existsSync(path));
        const text = readFileSync(path, 'utf8');
        assert.not.match(text, /hunter|FETCH_WHEP|AWS|FFREPORT/);
        for (const [key, value] of Object.entries(needed)) assert.match(text, `${key}=${value}\n`);
        assert.match(text, /^PATH=/m);
      }
      await source.stop();
    });
  } finally {
    for (const name of Object.keys({ ...secrets, ...needed })) delete process.env[name];
    Object.assign(process.env, before);
  }
});

test.run();
