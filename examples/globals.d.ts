// What the examples use of Bun and Deno; a program of your own has their real types.
declare const Bun: {
  serve(options: {
    hostname: string;
    port: number;
    routes: Record<string, (request: Request) => Promise<Response>>;
    fetch: (request: Request) => Response | Promise<Response>;
  }): { url: URL };
};

declare const Deno: {
  serve(
    options: { hostname: string; port: number },
    handler: (request: Request) => Response | Promise<Response>,
  ): { addr: { port: number } };
};
