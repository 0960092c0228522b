import { play } from 'fetch-whep/player';

play(document.querySelector('video'), 'https://live.example.org/whep/cam1');
