import { type PlayerState, play } from './client.ts';

function part<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

const video = part('video', HTMLVideoElement);
const status = part('status', HTMLElement);
const sound = part('sound', HTMLButtonElement);
const stage = part('stage', HTMLElement);

/** The token that the server may ask for stays in the fragment, which browsers never send. */
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
const endpoint = new URL(`../whep/${document.body.dataset.stream}`, location.href.split('#')[0]);

function show(state: PlayerState): void {
  stage.dataset.phase = state.phase;
  switch (state.phase) {
    case 'connecting':
      status.textContent = 'Connecting …';
      break;
    case 'playing':
      status.textContent = state.video ? '' : 'Playing sound only';
      sound.hidden = !state.audio;
      void video.play().catch(() => {
        status.textContent = 'Press play to start';
        video.controls = true;
      });
      break;
    case 'waiting':
      status.textContent = `Not playing: ${state.reason}. Trying again in ${Math.ceil(state.seconds)} s.`;
      break;
    case 'refused':
      status.textContent = `Not playing: ${state.reason}`;
      break;
    case 'closed':
      status.textContent = 'Stopped';
  }
}

sound.addEventListener('click', () => {
  video.muted = !video.muted;
});
video.addEventListener('volumechange', () => {
  sound.textContent = video.muted ? 'Unmute' : 'Mute';
});

let player = play(video, endpoint, { token, onState: show });
addEventListener('pagehide', () => player.close());
// Back from the browser's cache of whole pages.
addEventListener('pageshow', (event) => {
  if (event.persisted) player = play(video, endpoint, { token, onState: show });
});
