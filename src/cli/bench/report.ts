/** A title and what stands below it; undefined could not be measured. */
export type Column<Row> = [title: string, value: (row: Row) => string | number | undefined];

/** Rows under their titles, aligned to the right. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, value]) => String(value(row) ?? '-'))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const text = lines.map((line) => line.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  '));
  return `${text.join('\n')}\n`;
}
