// One attack in a process of its own, on Node: `attacker.mjs CONFIG`, where CONFIG is JSON as `Attack` in ../attacks.ts.
// Prints what it did as a line of JSON.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { argv, env, exit } from 'node:process';
import { attackByHttp, HTTP_ATTACKS } from './http-attacks.mjs';

const config = JSON.parse(argv[2]);
const addon = createRequire(import.meta.url)(env.FETCH_WHEP_ADDON ?? resolve('dist/fetch-whep.node'));
const attack = HTTP_ATTACKS.includes(config.name) ? attackByHttp : addon.attackServer;
console.log(JSON.stringify(await attack(config)));
// Connections may still be open, which end with the process.
exit(0);
