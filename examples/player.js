import { play } from 'fetch-whep/player';

const video = document.querySelector('video');
const player = play(video, 'https://live.example.org/whep/cam1', {
  onState: ({ phase, reason }) => console.debug(phase, reason ?? ''),
});

addEventListener('keydown', async ({ key }) => {
  if (key === 's') console.table(await player.stats());
});
