/**
 * Does `work` with a signal that fires with `signal`, or after `time` milliseconds. The timer holds it: on Node 20 one that
 * `AbortSignal.any` made may be collected as garbage before it fires.
 */
export async function withTimeout<T>(
  time: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  const timer = setTimeout(() => controller.abort(new DOMException('no answer', 'TimeoutError')), time);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
