import * as z from 'zod';

const operation = z.object({ responses: z.record(z.string(), z.unknown()) });
const document = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });
export type Description = z.output<typeof document>['paths'];

/** What the server says of its routes (OpenAPI 3.1). */
export function readDescription(json: string): Description {
  return document.parse(JSON.parse(json)).paths;
}

/** Whether a status of a route is one that its description has. Any route has 404 for an id that none can have, and 500. */
export function isDescribed(paths: Description, method: string, path: string, status: number): boolean {
  const template = Object.keys(paths).find((each) =>
    new RegExp(`^${each.replace(/\{\w+\}/g, '[^/]+')}/*$`).test(path.replace(/\?.*/, '')),
  );
  if (template === undefined || status === 404 || status === 500) return true;
  const described = paths[template]?.[method === 'HEAD' ? 'get' : method.toLowerCase()];
  // A slash at the end says that an id is missing.
  if (described === undefined) return status === 405 || (status === 400 && path.endsWith('/'));
  return String(status) in operation.parse(described).responses;
}
