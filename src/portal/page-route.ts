import { html } from 'hono/html';
import type { HttpContext } from '../http/env.ts';
import { BodyTooLarge } from '../http/errors.ts';
import { AppError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { CampaignBusy, CampaignNotFound, FormFromElsewhere, LinkUnknown } from './errors.ts';
import { answerPage, requestLanguage } from './layout.ts';
import { texts } from './texts.ts';
import type { PortalTexts } from './texts/en.ts';

const shown = (error: unknown): { status: number; name: keyof PortalTexts['errors'] } => {
  if (error instanceof LinkUnknown) return { status: 404, name: 'link' };
  if (error instanceof CampaignNotFound) return { status: 404, name: 'campaign' };
  if (error instanceof FormFromElsewhere) return { status: 403, name: 'elsewhere' };
  if (error instanceof BodyTooLarge) return { status: 413, name: 'unreadable' };
  if (!(error instanceof AppError)) return { status: 500, name: 'internal' };
  if (error instanceof CampaignBusy) return { status: 429, name: 'busy' };
  if (error.kind === 'too-many') return { status: 429, name: 'tooMany' };
  if (error.kind === 'unavailable') return { status: 503, name: 'unavailable' };
  return { status: 400, name: 'unreadable' };
};

/** A handler whose failures are pages too, in the person's language; what is no error of ours is reported to the log. */
export const pageRoute =
  (log: Log, handler: (c: HttpContext) => Promise<Response>) =>
  async (c: HttpContext): Promise<Response> => {
    try {
      return await handler(c);
    } catch (error) {
      const { status, name } = shown(error);
      if (status === 500) log.error({ err: error as Error, requestId: c.get('requestId') }, 'request failed');
      const language = requestLanguage(c);
      const [title, text] = texts[language].errors[name];
      return answerPage(c, status, { language, title, body: html`<p role="alert">${text}</p>` });
    }
  };
