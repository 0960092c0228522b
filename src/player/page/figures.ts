import type { PlayerStats } from '../index.ts';

/** The rows of the overlay: a label, and how its figure is written. */
const ROWS: readonly (readonly [label: string, text: (stats: PlayerStats) => string | undefined])[] = [
  ['Resolution', ({ width, height }) => (width ? `${width} × ${height}` : undefined)],
  ['Frame rate', ({ framesPerSecond }) => written(framesPerSecond, 1, 0, 'fps')],
  ['Bit rate', ({ bitsPerSecond }) => written(bitsPerSecond, 1e-6, 2, 'Mbit/s')],
  ['Loss', ({ lossRatio }) => written(lossRatio, 100, 1, '%')],
  ['Round trip', ({ roundTripSeconds }) => written(roundTripSeconds, 1000, 0, 'ms')],
  ['Jitter buffer', ({ jitterBufferSeconds }) => written(jitterBufferSeconds, 1000, 0, 'ms')],
  ['Latency', ({ latencySeconds }) => written(latencySeconds, 1000, 0, 'ms')],
] as const;

/** Fills the list with the newest figures; a dash for those that are not known. */
export function showFigures(list: HTMLElement, stats: PlayerStats | undefined): void {
  list.replaceChildren(
    ...ROWS.map(([label, text]) => {
      const row = document.createElement('div');
      row.append(element('dt', label), element('dd', (stats && text(stats)) || '–'));
      return row;
    }),
  );
}

function element(name: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function written(value: number | undefined, factor: number, digits: number, unit: string): string | undefined {
  return value === undefined ? undefined : `${(value * factor).toFixed(digits)} ${unit}`;
}
