import { connect } from 'node:net';

export interface RawReply {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** Sends the head and body as they are, and reads until the server has answered and closed. */
export function exchange(port: number, head: string[], body = '', localAddress = '127.0.0.1'): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
      // Servers that close late: what Content-Length promises is enough.
      const reply = read(text);
      const length = Number(reply?.headers.get('content-length') ?? Number.NaN);
      if (reply && (reply.body.length >= length || reply.status === 204 || head[0]?.startsWith('HEAD')))
        socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      const reply = read(text);
      if (reply) resolve(reply);
      else reject(new Error(`no response to ${head[0]}: "${text}"`));
    });
    socket.write(`${[...head, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`);
  });
}

/** The last response in what came; one of 1xx is no answer yet (RFC 9110 §15.2). */
function read(received: string): RawReply | undefined {
  const text = received.replace(/^(HTTP\/1\.1 1\d\d .*\r\n([^\r].*\r\n)*\r\n)+/, '');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: new Map(headers), body: text.slice(end + 4) };
}
