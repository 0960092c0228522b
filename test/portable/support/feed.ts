import type { Buffer } from 'node:buffer';
import * as assert from 'uvu/assert';
import { Drops } from '../../../src/engine/portable/drops.ts';
import { NalUnits } from '../../../src/engine/portable/nal-units.ts';
import { MAX_PAYLOAD, parseRtp } from '../../../src/engine/portable/rtp.ts';
import { type AccessUnit, Assembler } from '../../../src/engine/portable/video.ts';
import { rtp } from './packets.ts';

/** Puts payloads together again as a receiver would. */
export function received(payloads: readonly Buffer[]): Buffer[] {
  const nals = new NalUnits();
  for (const payload of payloads) {
    assert.ok(payload.length <= MAX_PAYLOAD);
    assert.is(nals.push(payload), undefined);
  }
  assert.ok(nals.whole);
  return nals.units;
}

/** Feeds payloads, a picture each, and gives what comes out. */
export class Feed {
  readonly drops = new Drops();
  readonly units: AccessUnit[] = [];
  readonly assembler = new Assembler(this.drops, (unit) => this.units.push(unit));
  #timestamp = 0;

  picture(...payloads: Buffer[]): this {
    this.#timestamp += 3_000;
    payloads.forEach((payload, index) => {
      const packet = parseRtp(rtp(payload, { timestamp: this.#timestamp, marker: index === payloads.length - 1 }));
      if (packet) this.assembler.push(packet);
    });
    return this;
  }

  get keyframes(): boolean[] {
    return this.units.map((unit) => unit.keyframe);
  }
}
