import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One message as it arrived. */
export type Delivery = {
  id: string;
  body: string;
  headers: Record<string, string>;
  message: { type: string; timestamp: string; data: Record<string, unknown> };
  receivedAt: number;
};

export type Receiver = {
  url: string;
  deliveries: Delivery[];
  /** Most messages of one id that were being answered at the same time. */
  mostAtOnce(): number;
  close(): Promise<void>;
};

export const acknowledge = (_: Delivery, response: ServerResponse): void => {
  response.end('{"acknowledged": true}');
};

/** A real system that takes webhooks on `port` (a free one unless told) and answers them as it is told to. */
export const startReceiver = async (
  answer: (delivery: Delivery, response: ServerResponse) => void = acknowledge,
  port = 0,
): Promise<Receiver> => {
  const deliveries: Delivery[] = [];
  const open = new Map<string, number>();
  let most = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const headers = request.headers as Record<string, string>;
      const id = headers['webhook-id']!;
      const message = JSON.parse(body) as Delivery['message'];
      const delivery = { id, body, headers, message, receivedAt: performance.now() };
      deliveries.push(delivery);
      open.set(id, (open.get(id) ?? 0) + 1);
      most = Math.max(most, open.get(id)!);
      response.on('close', () => open.set(id, open.get(id)! - 1));
      answer(delivery, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    deliveries,
    mostAtOnce: () => most,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
};
