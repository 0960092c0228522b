// app/live/[...path]/route.ts, with `serverExternalPackages: ['fetch-whep']` in next.config
import { createServer, type Server } from 'fetch-whep';

// In development the module is loaded again after each change; there has to be one server all the same.
const shared = globalThis as typeof globalThis & { live?: Promise<Server> };
shared.live ??= createServer({ basePath: '/live', streams: { demo: 'clip' } });
const { live } = shared;

const handle = async (request: Request) => (await live).fetch(request);

export { handle as DELETE, handle as GET, handle as HEAD, handle as OPTIONS, handle as PATCH, handle as POST };
