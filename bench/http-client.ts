import { connect, type Socket } from 'node:net';

/** One keep-alive connection that has one request under way at most (pipelining 1). */
export type Connection = {
  /** Sends a whole request; `answered` is called with status and body (latin1), in the same turn in which they arrive. */
  send(request: string, answered: (status: number, body: string) => void): void;
  close(): void;
};

/**
 * A lean HTTP/1.1 client: enough of RFC 9112 for answers with Content-Length, so that on a small machine the generator takes as little of
 * the processors as it can. `failed` is told once of anything else.
 */
export const openConnection = (port: number, failed: (error: Error) => void): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let answered: ((status: number, body: string) => void) | undefined;
    let received = '';
    let closing = false;
    socket.setNoDelay(true);
    socket.once('error', (error) => (reject(error), failed(error)));
    socket.once('close', () => {
      if (!closing) failed(new Error('the server closed a connection'));
    });
    socket.on('data', (data: Buffer) => {
      received = received === '' ? data.toString('latin1') : received + data.toString('latin1');
      const bodyAt = received.indexOf('\r\n\r\n') + 4;
      if (bodyAt < 4) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(
        received.length > 4096 ? received.slice(0, bodyAt) : received,
      )?.[1];
      if (length === undefined)
        return failed(new Error(`an answer without Content-Length: ${received.slice(0, bodyAt)}`));
      const end = bodyAt + Number(length);
      if (received.length < end) return;
      const [text, listener] = [received, answered];
      if (text.length > end || !listener) return failed(new Error('an answer that nobody asked for'));
      received = '';
      answered = undefined;
      listener(Number(text.slice(9, 12)), text.slice(bodyAt));
    });
    socket.once('connect', () =>
      resolve({
        send: (request, listener) => {
          answered = listener;
          socket.write(request, 'latin1');
        },
        close: () => {
          closing = true;
          socket.destroy();
        },
      }),
    );
  });
