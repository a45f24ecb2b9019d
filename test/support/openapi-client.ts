import { Agent, request } from 'node:http';

/** A request as it goes over the wire: `fetch` would refuse or tidy up much of what has to be tried. */
export type WireRequest = {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Buffer | undefined;
  /** Without a length: Transfer-Encoding: chunked. */
  chunked?: boolean;
};

export type WireAnswer = {
  status: number;
  headers: Record<string, string>;
  text: string;
};

export type WireClient = {
  send(sent: WireRequest): Promise<WireAnswer>;
  close(): void;
};

/** Keeps up to `sockets` connections alive to one service; more requests wait for one. */
export const createWireClient = (url: string, sockets = 32): WireClient => {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: sockets });
  const attempt = (sent: WireRequest, left: number): Promise<WireAnswer> => {
    const { method, path, headers, body, chunked = false } = sent;
    return new Promise((resolve, reject) => {
      const length = body === undefined || chunked ? {} : { 'content-length': String(body.length) };
      const sending = request({ agent, hostname, port, method, path, headers: { ...headers, ...length } });
      let answered = false;
      sending.on('response', (response) => {
        answered = true;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers as Record<string, string>,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      sending.on('error', (error: NodeJS.ErrnoException) => {
        // A service that refuses a body need not read it to its end.
        if (answered) return;
        // It may have closed an idle connection a moment before, and it may close one on which the rest of a large body
        // that it has refused comes too slowly; then its answer is lost (RFC 9112 section 9.6).
        const closed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        if (closed && left > 0 && (sending.reusedSocket || (body?.length ?? 0) > 8_192))
          resolve(attempt(sent, left - 1));
        else reject(error);
      });
      if (chunked) sending.setHeader('transfer-encoding', 'chunked');
      sending.end(body);
    });
  };
  return { send: (sent) => attempt(sent, 3), close: () => agent.destroy() };
};
