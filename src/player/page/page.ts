import { type PlayerState, play } from '../index.ts';
import { showFigures } from './figures.ts';
import { fullScreen } from './fullscreen.ts';
import { noticeOf } from './words.ts';

function part<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

const stage = part('stage', HTMLElement);
const video = part('video', HTMLVideoElement);
const status = part('status', HTMLElement);
const entry = part('entry', HTMLFormElement);
const tokenInput = part('token', HTMLInputElement);
const act = part('act', HTMLButtonElement);
const sound = part('sound', HTMLButtonElement);
const live = part('live', HTMLElement);
const info = part('info', HTMLButtonElement);
const figures = part('figures', HTMLElement);
const full = part('full', HTMLButtonElement);

const [address = ''] = location.href.split('#');
const endpoint = new URL(`../whep/${document.body.dataset.stream}`, address);
/** The token that the server may ask for stays in the fragment, which browsers never send. */
let token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
let seen = false;

const start = () => play(video, endpoint, { token, startMuted: video.muted, onState: show });
let player = start();

function restart(): void {
  player.close();
  player = start();
}

function show(state: PlayerState): void {
  const playing = state.phase === 'playing';
  seen ||= playing;
  stage.dataset.phase = playing && !state.video ? 'listening' : state.phase;
  const [title, detail] = noticeOf(state, seen) ?? [];
  status.replaceChildren();
  if (title !== undefined) status.append(Object.assign(document.createElement('strong'), { textContent: title }));
  if (detail !== undefined) status.append(` ${detail}`);
  live.hidden = !playing;
  if (playing) sound.hidden = !state.audio;
  entry.hidden = !(state.phase === 'refused' && state.cause === 'unauthorized');
  if (!entry.hidden) tokenInput.focus();
  act.hidden = !(state.phase === 'blocked' || (state.phase === 'refused' && entry.hidden));
  act.textContent = state.phase === 'blocked' ? 'Play' : 'Try again';
}

act.addEventListener('click', () => {
  if (player.state.phase === 'blocked') void video.play();
  else restart();
});
entry.addEventListener('submit', (event) => {
  event.preventDefault();
  token = tokenInput.value;
  restart();
});

sound.addEventListener('click', () => {
  video.muted = !video.muted;
});
video.addEventListener('volumechange', () => {
  stage.toggleAttribute('data-muted', video.muted);
  sound.lastElementChild?.replaceChildren(video.muted ? 'Unmute' : 'Mute');
});

let looking: ReturnType<typeof setInterval> | undefined;
info.addEventListener('click', () => {
  figures.hidden = !figures.hidden;
  info.setAttribute('aria-expanded', String(!figures.hidden));
  clearInterval(looking);
  if (figures.hidden) return;
  const look = async () => showFigures(figures, await player.stats());
  looking = setInterval(look, 1000);
  void look();
});

fullScreen(stage, video, full);

/** While the keyboard is in the player, and only then (WCAG 2.1.4). */
const KEYS: Readonly<Record<string, HTMLButtonElement>> = { m: sound, s: info, f: full };
stage.addEventListener('keydown', (event) => {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = KEYS[event.key.toLowerCase()];
  if (button !== undefined && !button.hidden) button.click();
});
video.addEventListener('click', () => stage.focus());
video.addEventListener('dblclick', () => full.click());

/** Controls leave the picture alone when nobody stirs. Milliseconds. */
const IDLE = 3000;
let idle: ReturnType<typeof setTimeout> | undefined;
function stir(): void {
  clearTimeout(idle);
  stage.removeAttribute('data-idle');
  idle = setTimeout(() => stage.setAttribute('data-idle', ''), IDLE);
}
for (const event of ['pointermove', 'pointerdown', 'keydown', 'focusin']) stage.addEventListener(event, stir);
stir();
part('address', HTMLElement).textContent = endpoint.href;
