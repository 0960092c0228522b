import type { Buffer } from 'node:buffer';
import { Bits, BitsError, whole } from './bits.ts';

/** What a sequence parameter set says (ITU-T H.264 §7.3.2.1.1). */
export interface Sps {
  id: number;
  /** RFC 6184 §8.1, lower case. */
  profileLevelId: string;
  /** Pixels, after cropping. */
  width: number;
  height: number;
  /** Pictures may be of fields. */
  interlaced: boolean;
  /** Samples of more than 8 bits, or colour that is not sampled 4:2:0. */
  uncommonPixels: boolean;
}

/** Profiles whose parameter sets have the chroma fields. */
const WITH_CHROMA = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const MAX_PIXELS = 16_384;

/** `unit`: the NAL unit with its header byte. Undefined when it ends early or makes no sense. */
export function parseSps(unit: Buffer): Sps | undefined {
  return whole(() => {
    const bits = new Bits(unit, 4);
    const id = bits.unsigned();
    const { chroma, separatePlanes, deep } = readChroma(bits, unit[1] ?? 0);
    skipOrder(bits);
    bits.unsigned(); // max_num_ref_frames
    bits.flag();
    const blocksWide = bits.unsigned() + 1;
    const unitsHigh = bits.unsigned() + 1;
    const framesOnly = bits.flag();
    if (!framesOnly) bits.flag();
    bits.flag(); // direct_8x8_inference
    const crop = bits.flag() ? Array.from({ length: 4 }, () => bits.unsigned()) : [];
    const [left = 0, right = 0, top = 0, bottom = 0] = crop;
    const fields = framesOnly ? 1 : 2;
    const cropX = separatePlanes || chroma === 0 || chroma === 3 ? 1 : 2;
    const cropY = (separatePlanes || chroma !== 1 ? 1 : 2) * fields;
    const width = blocksWide * 16 - (left + right) * cropX;
    const height = unitsHigh * fields * 16 - (top + bottom) * cropY;
    if (![width, height].every((pixels) => pixels > 0 && pixels <= MAX_PIXELS)) throw new BitsError();
    const profileLevelId = unit.toString('hex', 1, 4);
    return { id, profileLevelId, width, height, interlaced: !framesOnly, uncommonPixels: deep || chroma !== 1 };
  });
}

/** The id of a picture parameter set (§7.3.2.2). */
export function ppsId(unit: Buffer): number | undefined {
  return whole(() => new Bits(unit, 1).unsigned());
}

function readChroma(bits: Bits, profile: number): { chroma: number; separatePlanes: boolean; deep: boolean } {
  if (!WITH_CHROMA.has(profile)) return { chroma: 1, separatePlanes: false, deep: false };
  const chroma = bits.unsigned();
  const separatePlanes = chroma === 3 && bits.flag();
  // bit_depth_luma_minus8 and bit_depth_chroma_minus8
  const depths = [bits.unsigned(), bits.unsigned()];
  bits.flag(); // transform bypass
  if (bits.flag()) {
    for (let list = 0; list < (chroma === 3 ? 12 : 8); list++)
      if (bits.flag()) skipScalingList(bits, list < 6 ? 16 : 64);
  }
  return { chroma, separatePlanes, deep: depths.some((depth) => depth > 0) };
}

function skipScalingList(bits: Bits, size: number): void {
  for (let index = 0, last = 8, next = 8; index < size; index++) {
    if (next !== 0) next = (((last + bits.signed()) % 256) + 256) % 256;
    last = next === 0 ? last : next;
  }
}

/** log2_max_frame_num and the order of pictures. */
function skipOrder(bits: Bits): void {
  bits.unsigned();
  const type = bits.unsigned();
  if (type === 0) bits.unsigned();
  if (type !== 1) return;
  bits.flag();
  bits.signed();
  bits.signed();
  const cycle = bits.unsigned();
  if (cycle > 255) throw new BitsError();
  for (let index = 0; index < cycle; index++) bits.signed();
}
