import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AUDIO_CODECS, type Codec, VIDEO_CODECS } from '../../src/engine/codecs.ts';
import type { Ingress } from '../../src/engine/port.ts';
import { openIngress } from '../../src/engine/portable/ingress.ts';
import { Failure } from '../../src/errors.ts';
import { Scene } from './support/scene.ts';

const test = suite('codecs of the portable engine');

/** What becomes of a stream that is added with this ingress. */
async function outcome(ingress: Ingress): Promise<string> {
  try {
    const input = await openIngress(ingress, new Scene().stream);
    await input.close();
    return 'added';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function ingresses(codec: Codec): Ingress[] {
  const kind = VIDEO_CODECS.some((each) => each === codec) ? 'video' : 'audio';
  return [
    { kind: 'push', [kind]: { codec } },
    { kind: 'rtp', host: '127.0.0.1', [kind]: { codec, port: 0 } },
  ];
}

test('H264 and Opus are taken', async () => {
  for (const ingress of [...ingresses('h264'), ...ingresses('opus')]) assert.is(await outcome(ingress), 'added');
});

test('any other is refused when the stream is added, by its name', async () => {
  for (const codec of [...VIDEO_CODECS, ...AUDIO_CODECS].filter((each) => each !== 'h264' && each !== 'opus')) {
    for (const ingress of ingresses(codec)) {
      assert.match(
        await outcome(ingress),
        new RegExp(`^engine-unavailable: .*: ${codec} needs the native engine`, 'i'),
      );
    }
  }
});

test.run();
