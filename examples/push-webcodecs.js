const CODECS = { demo: 'vp8', vp9: 'vp09.00.31.08', av1: 'av01.0.04M.08' };
const stream = new URLSearchParams(location.search).get('stream') ?? 'demo';
const canvas = document.querySelector('canvas');
const context = canvas.getContext('2d');
const { width, height } = canvas;

let needsKeyframe = true;
/** One request after the other: the order of frames is that of their decoding. */
let sent = Promise.resolve();

const encoder = new VideoEncoder({
  output(chunk) {
    const body = new Uint8Array(chunk.byteLength);
    chunk.copyTo(body);
    sent = sent.then(async () => {
      const { ok } = await fetch(`/chunks?stream=${stream}&at=${chunk.timestamp}`, { method: 'POST', body });
      if (!ok) needsKeyframe = true;
    });
  },
  error: (error) => console.error(error),
});
encoder.configure({ codec: CODECS[stream], width, height, bitrate: 1_000_000, framerate: 30, latencyMode: 'realtime' });

const start = performance.now();
let frames = 0;
setInterval(() => {
  const elapsed = performance.now() - start;
  context.fillStyle = `hsl(${elapsed / 50} 80% 40%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = 'white';
  context.font = '96px monospace';
  context.fillText((elapsed / 1000).toFixed(2), 160, 210);
  // An encoder that is behind gets no more. Microseconds.
  if (encoder.encodeQueueSize > 2) return;
  const frame = new VideoFrame(canvas, { timestamp: Math.round(elapsed * 1000) });
  encoder.encode(frame, { keyFrame: needsKeyframe || frames % 60 === 0 });
  frame.close();
  needsKeyframe = false;
  frames++;
}, 1000 / 30);
