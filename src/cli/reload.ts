import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { getLogger } from '@logtape/logtape';
import { isUntouched, type Tokens } from '../access.ts';
import type { Server } from '../index.ts';
import type { Listener } from '../serve.ts';
import { type Configuration, effective } from './configuration.ts';
import { TOKENS } from './tokens.ts';

const log = getLogger(['fetch-whep', 'config']);

/** What a reload changes. */
export interface Running {
  streams: Pick<Server['streams'], 'add' | 'remove' | 'get'>;
  renewTokens: Server['renewTokens'];
  renewTls: Listener['renewTls'];
}

/** Brings a running server to what its files say now, as far as nobody has to leave for it. */
export class Reloader {
  readonly #running: Running;
  readonly #read: () => Configuration;
  #current: Configuration;
  /** One reload at a time: each begins with what the one before it has left. */
  #last: Promise<unknown> = Promise.resolve();
  /** What was last said of files that cannot be used: they are tried again and again. */
  #fault = '';

  /** `current` is what the server was started with; `read` gives what it would be started with now. */
  constructor(running: Running, current: Configuration, read: () => Configuration) {
    this.#running = running;
    this.#current = current;
    this.#read = read;
  }

  /** Paths of everything that is read. */
  get files(): readonly string[] {
    return this.#current.files;
  }

  /** Never rejects; what came of it is in the log. */
  async reload(): Promise<void> {
    const fault = await this.#take((next) => this.#become(next));
    if (fault !== undefined) log.error('config not reloaded: {text}', { text: fault });
  }

  /** Tokens and certificate alone. False when they are to be tried again. */
  async renew(): Promise<boolean> {
    const fault = await this.#take((next) => this.#renew(next));
    if (fault !== undefined && fault !== this.#fault) {
      log.error('tokens and certificate not renewed, the old ones stay: {text}', { text: fault });
    }
    this.#fault = fault ?? '';
    return fault === undefined;
  }

  /** In turn; gives what went wrong. */
  #take(become: (next: Configuration) => Promise<void>): Promise<string | undefined> {
    const turn = this.#last.then(async () => {
      try {
        await become(this.#read());
        return undefined;
      } catch (error) {
        return oneLine(error);
      }
    });
    this.#last = turn;
    return turn;
  }

  async #become(next: Configuration): Promise<void> {
    await this.#renew(next);
    const change = this.#compare(next);
    const { streams } = this.#running;
    // First what goes, since what comes may need its ports.
    await Promise.all([...change.removed, ...change.changed].map((id) => streams.remove(id)));
    await Promise.all([...change.changed, ...change.added].map((id) => this.#add(id, next)));
    const asleep = restartOptions(this.#current, next);
    this.#current = { ...this.#current, settings: { ...this.#current.settings, streams: next.settings.streams } };
    log.info('config reloaded: {added} added, {changed} changed, {removed} removed, {kept} kept', inWords(change));
    if (asleep.length > 0) log.warn('restart for a new {options}', { options: asleep.join(', ') });
  }

  async #renew(next: Configuration): Promise<void> {
    const { settings, tls } = this.#current;
    const [before, after] = [tokensIn(settings), tokensIn(next.settings)];
    if (!isDeepStrictEqual(before, after)) {
      this.#running.renewTokens(after);
      const changed = TOKENS.map(({ option }) => option).filter((option) => before[option] !== after[option]);
      log.info('renewed: {options}', { options: changed.join(', ') });
      if (isUntouched(next.settings)) log.warn('no token is left, so everything is closed until a restart');
    }
    const { tokenFiles, files } = next;
    this.#current = { ...this.#current, tokenFiles, files, settings: { ...settings, ...after } };
    if (tls === undefined || next.tls === undefined) return;
    if (tls.cert !== next.tls.cert || tls.key !== next.tls.key) {
      await this.#running.renewTls(next.tls);
      const { validTo } = new X509Certificate(next.tls.cert);
      log.info('renewed: certificate, valid until {end}', { end: new Date(validTo).toISOString().slice(0, 10) });
    }
    this.#current = { ...this.#current, tls: next.tls };
  }

  #compare(next: Configuration): Record<'added' | 'changed' | 'removed' | 'kept', string[]> {
    const [before, after] = [this.#current.settings.streams, next.settings.streams];
    const ids = Object.keys(after);
    // What somebody removed by the admin API is there no more, whatever the file said.
    const there = (id: string) => Object.hasOwn(before, id) && this.#running.streams.get(id) !== undefined;
    const same = (id: string) => isDeepStrictEqual(before[id], after[id]);
    return {
      added: ids.filter((id) => !there(id)),
      changed: ids.filter((id) => there(id) && !same(id)),
      removed: Object.keys(before).filter((id) => !Object.hasOwn(after, id)),
      kept: ids.filter((id) => there(id) && same(id)),
    };
  }

  async #add(id: string, { server }: Configuration): Promise<void> {
    const source = server.streams?.[id];
    if (source === undefined) return;
    try {
      await this.#running.streams.add(id, source);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.error('stream {stream} is not there, it could not be started: {text}', { stream: id, text });
    }
  }
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\n', '; ');
}

function tokensIn({ token, publishToken, observeToken, adminToken }: Tokens): Tokens {
  return { token, publishToken, observeToken, adminToken };
}

/** The options that differ and only count at the start, by their names in the config file. */
function restartOptions(current: Configuration, next: Configuration): string[] {
  const { streams: _, ...before } = effective(current);
  const { streams: __, ...after } = effective(next);
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => !isDeepStrictEqual(before[name], after[name]),
  );
}

function inWords(change: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(change).map(([name, ids]) => [name, ids.length > 0 ? ids.join(', ') : 'none']),
  );
}
