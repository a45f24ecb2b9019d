import { createTransport } from 'nodemailer';
import addressparser from 'nodemailer/lib/addressparser';
import type { NodemailerError } from 'nodemailer';
import type { MailContent } from './mail-values.ts';

/** Where mail goes out and as whom; `url` holds the credentials and is a secret. */
export type MailSettings = { url: string; from: string };

/** Why a mail was not sent, without the address; `permanent`: sending the same again would be refused again. */
type NotSent = { problem: string; permanent: boolean };

export type MailTransport = {
  /**
   * Hands one mail to the server. `messageId` is the mail's own and the same at each attempt, so that a receiver recognises a mail that
   * comes twice. Ends within `sendWithinMs`; never throws.
   */
  send(content: MailContent, messageId: string): Promise<'sent' | NotSent>;
  /** Connects and signs in; what is wrong in words, or undefined. */
  verify(): Promise<string | undefined>;
  close(): void;
};

/** No attempt takes longer, whatever the server does. */
export const sendWithinMs = 30_000;
const connectWithinMs = 10_000;

/** One mailbox, `info@example.org` or `Club <info@example.org>`; undefined when it is anything else. */
export const parseMailbox = (text: string): { name: string; address: string } | undefined => {
  const [first, ...others] = addressparser(text);
  if (!first?.address || others.length > 0 || !/^[^\s@]+@[^\s@]+$/.test(first.address)) return undefined;
  return { name: first.name, address: first.address };
};

/** Names and codes only: what a server answers repeats the address. */
const notSent = (error: NodemailerError): NotSent => {
  const { code = 'unknown', command = '', responseCode } = error;
  const step = /^[A-Z ]{1,12}$/.test(command) ? ` at ${command}` : '';
  if (responseCode === undefined) {
    // An address that no server would take is refused before anything is sent.
    if (code === 'EENVELOPE') return { problem: 'the address cannot be written to', permanent: true };
    return { problem: `no connection to the mail server (${error.originalCode ?? code})`, permanent: false };
  }
  // RFC 5321 section 4.2.1: 5yz is for good. At other steps it is about us (a wrong password), which somebody will mend.
  const aboutThisMail = command === 'RCPT TO' || command === 'DATA';
  return { problem: `SMTP ${responseCode}${step}`, permanent: aboutThisMail && error.permanent === true };
};

/**
 * Mail over SMTP (nodemailer): `smtps://` is TLS from the start; `smtp://` takes STARTTLS where it is offered, and insists on it where it
 * would send a password to another machine. Logs nothing.
 */
export const createMailTransport = (settings: MailSettings): MailTransport => {
  const url = new URL(settings.url);
  const from = parseMailbox(settings.from);
  if (!from) throw new TypeError('the sender of mail is not a mailbox');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'smtps:';
  const signsIn = url.username !== '';
  const transport = createTransport({
    pool: true,
    host,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    secure,
    requireTLS: !secure && signsIn && !['localhost', '127.0.0.1', '::1'].includes(host),
    ...(signsIn ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } } : {}),
    maxConnections: 4,
    idleTimeout: 10_000,
    connectionTimeout: connectWithinMs,
    greetingTimeout: connectWithinMs,
    dnsTimeout: connectWithinMs,
    socketTimeout: sendWithinMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  return {
    send: async (content, messageId) => {
      try {
        await transport.sendMail({
          from,
          to: { name: '', address: content.to },
          subject: content.subject,
          text: content.text,
          messageId: `<${messageId}@${domain}>`,
          // RFC 3834: nobody's absence note shall answer it.
          headers: { ...content.headers, 'Auto-Submitted': 'auto-generated' },
          signal: AbortSignal.timeout(sendWithinMs),
        });
        return 'sent';
      } catch (error) {
        return notSent(error as NodemailerError);
      }
    },
    verify: async () => {
      try {
        await transport.verify();
        return undefined;
      } catch (error) {
        return notSent(error as NodemailerError).problem;
      }
    },
    close: () => transport.close({ force: true }),
  };
};
