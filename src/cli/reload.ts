import { isDeepStrictEqual } from 'node:util';
import { getLogger } from '@logtape/logtape';
import type { Server } from '../index.ts';
import { type Configuration, effective } from './configuration.ts';

const log = getLogger(['fetch-whep', 'config']);

type Streams = Pick<Server['streams'], 'add' | 'remove' | 'get'>;

/** Brings the streams of a running server to what its config file says now. */
export class Reloader {
  readonly #streams: Streams;
  readonly #read: () => Configuration;
  #current: Configuration;
  /** One reload at a time: each begins with what the one before it has left. */
  #last: Promise<void> = Promise.resolve();

  /** `current` is what the server was started with; `read` gives what it would be started with now. */
  constructor(streams: Streams, current: Configuration, read: () => Configuration) {
    this.#streams = streams;
    this.#current = current;
    this.#read = read;
  }

  /** Never rejects; what came of it is in the log. */
  reload(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload());
    return this.#last;
  }

  async #reload(): Promise<void> {
    try {
      await this.#become(this.#read());
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.error('config not reloaded: {text}', { text: text.replaceAll('\n', '; ') });
    }
  }

  async #become(next: Configuration): Promise<void> {
    const change = this.#compare(next);
    // First what goes, since what comes may need its ports.
    await Promise.all([...change.removed, ...change.changed].map((id) => this.#streams.remove(id)));
    await Promise.all([...change.changed, ...change.added].map((id) => this.#add(id, next)));
    const asleep = restartOptions(this.#current, next);
    this.#current = { ...this.#current, settings: { ...this.#current.settings, streams: next.settings.streams } };
    log.info('config reloaded: {added} added, {changed} changed, {removed} removed, {kept} kept', inWords(change));
    if (asleep.length > 0) log.warn('restart for a new {options}', { options: asleep.join(', ') });
  }

  #compare(next: Configuration): Record<'added' | 'changed' | 'removed' | 'kept', string[]> {
    const [before, after] = [this.#current.settings.streams, next.settings.streams];
    const ids = Object.keys(after);
    // What somebody removed by the admin API is there no more, whatever the file said.
    const there = (id: string) => Object.hasOwn(before, id) && this.#streams.get(id) !== undefined;
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
      await this.#streams.add(id, source);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.error('stream {stream} is not there, it could not be started: {text}', { stream: id, text });
    }
  }
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
