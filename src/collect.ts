/** The bytes of a stream; undefined when there are more than `limit`, of which no more are held. */
export async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limit: number,
): Promise<Uint8Array | undefined> {
  // Grows one buffer: a list of one-byte chunks would take a hundred times their size.
  let buffer = new Uint8Array(Math.min(4096, limit));
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return buffer.subarray(0, length);
    if (length + value.byteLength > limit) return undefined;
    if (length + value.byteLength > buffer.byteLength) {
      const larger = new Uint8Array(Math.min(limit, Math.max(buffer.byteLength * 2, length + value.byteLength)));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    buffer.set(value, length);
    length += value.byteLength;
  }
}
