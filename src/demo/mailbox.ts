import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { callbackify } from 'node:util';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

/** One mail as it arrived; `headers` by small name, `to` as in the envelope. */
export type ReceivedMail = {
  to: string;
  subject: string;
  text: string;
  headers: Record<string, string>;
  messageId: string;
};

export type Mailbox = {
  url: string;
  port: number;
  /** Everything that was taken, oldest first. */
  mails: ReceivedMail[];
  /** The next mail to this address that was not handed out yet; waits for it. */
  nextMail(to: string, withinMs?: number): Promise<ReceivedMail>;
  close(): Promise<void>;
};

/**
 * A real SMTP server on 127.0.0.1 (a free port unless told) that keeps what it takes: the mailboxes of the demo and of the tests. What
 * `refuse` answers when it hears a recipient, or has read a text, is told to the sender instead.
 */
export const startMailbox = async ({
  port = 0,
  refuse = () => null,
}: { port?: number; refuse?(to: string, at: 'recipient' | 'data'): Error | null } = {}): Promise<Mailbox> => {
  const mails: ReceivedMail[] = [];
  const handedOut = new Set<ReceivedMail>();

  const take = async (stream: AsyncIterable<Buffer>, to: string): Promise<void> => {
    const { headers, subject = '', text = '', messageId = '' } = await PostalMime.parse(await buffer(stream));
    const named = Object.fromEntries(headers.map(({ key, value }) => [key, value]));
    mails.push({ to, subject, text: text.trimEnd(), headers: named, messageId });
  };

  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onRcptTo: ({ address }, _session, done) => done(refuse(address, 'recipient')),
    onData: (stream, session, done) => {
      const to = session.envelope.rcptTo[0]!.address;
      const refused = refuse(to, 'data');
      if (!refused) return callbackify(take)(stream, to, (error) => done(error));
      stream.resume().once('end', () => done(refused));
    },
  });
  server.on('error', () => {}); // a client that is killed resets its connection
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.server.address() as AddressInfo).port;

  return {
    url: `smtp://127.0.0.1:${bound}`,
    port: bound,
    mails,
    nextMail: async (to, withinMs = 10_000) => {
      const until = performance.now() + withinMs;
      for (;;) {
        const mail = mails.find((one) => one.to === to && !handedOut.has(one));
        if (mail) {
          handedOut.add(mail);
          return mail;
        }
        if (performance.now() > until) throw new Error(`no mail to ${to} within ${withinMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
