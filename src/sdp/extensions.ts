import { attributes, type Line, type Section } from './syntax.ts';

/** One `a=extmap` (RFC 8285 §8). */
export interface HeaderExtension {
  id: number;
  direction: string | undefined;
  uri: string;
  line: Line;
}

const FORM = /^(0|[1-9]\d{0,4})(?:\/(sendonly|recvonly|sendrecv|inactive))? (\S+)(?: .*)?$/s;

/** Those of a section, in order; what is malformed is nobody's. */
export function extensionsOf(section: Section): HeaderExtension[] {
  return attributes(section, 'extmap').flatMap(({ value = '', line }) => {
    const [, id, direction, uri] = FORM.exec(value) ?? [];
    return uri === undefined ? [] : [{ id: Number(id), direction, uri, line }];
  });
}
