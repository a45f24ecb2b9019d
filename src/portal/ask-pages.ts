import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { html } from 'hono/html';
import encodeQR from 'qr';
import {
  confirmConsent,
  isRecordedAlready,
  NoSaidAlready,
  readEvent,
  recordConsent,
  recordedIds,
  type RecordedEvent,
} from '../consent/index.ts';
import { answer } from '../http/answer.ts';
import type { HttpContext, HttpEnv } from '../http/env.ts';
import { header } from '../http/header.ts';
import { AppError } from '../kernel/errors.ts';
import { derivedUuid } from '../kernel/ids.ts';
import type { Language, Purpose } from '../policies/index.ts';
import { SubjectErased } from '../subjects/index.ts';
import { campaignUrl, whatIsAsked, type Asked } from './campaign.ts';
import type { PendingGrant } from './capabilities.ts';
import type { PortalDeps } from './deps.ts';
import { CampaignBusy } from './errors.ts';
import { assertFromHere, readForm } from './form.ts';
import { aboutController, answerPage, requestLanguage, type Html } from './layout.ts';
import { noLink } from './mint.ts';
import { pageRoute } from './page-route.ts';
import { noticeOf, openDimensions, readAnswer } from './read-answer.ts';
import { noteSignal, saysNo } from './say-no.ts';
import { scopeWords, wordFor } from './scope-words.ts';
import { texts } from './texts.ts';
import type { PortalTexts } from './texts/en.ts';

type Problem = keyof PortalTexts['ask']['problems'];
type Open = Asked & { purpose: Purpose };

/** Longer than recording takes, for a person who is known and for one who is not: from the time nobody learns which it was. */
const evenlyMs = 250;

/** Yeses per campaign, each of which mails an address that anybody may have typed. More than a stand with a queue has. */
const yesesPerMinute = 30;
/** The same no of one mailbox within this time is one: a form can be sent again and again. */
const sameNo = Temporal.Duration.from({ minutes: 1 });

const evenly = async <T>(work: Promise<T>): Promise<T> => {
  const [settled] = await Promise.allSettled([work, sleep(evenlyMs)]);
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
};

const problemNote = (problem: Problem | undefined, language: Language): Html => {
  const { ask } = texts[language];
  return html`${
    problem &&
    html`<div role="alert" id="problem">
      <p><strong>${ask.problem}</strong> ${ask.problems[problem]}</p>
    </div>`
  }`;
};

/** The words as they are hashed, to the letter; only how they are set differs. */
const noticeBlock = (text: string): Html => {
  const lines = text.split('\n').flatMap((line, index) => [index > 0 && '\n', html`<span>${line}</span>`]);
  return html`<div class="notice">${lines}</div>`;
};

/** Stops the Enter key in a field from pressing the first button: nobody says yes by a slip of a key (HTML, implicit submission). */
const noImplicitAnswer = html`<button type="submit" disabled hidden></button>`;

const choices = ({ catalogue, purpose, campaign }: Open, language: Language, form: URLSearchParams): Html[] =>
  openDimensions(catalogue, purpose, campaign).map(
    ({ dimension, values }) =>
      html`<fieldset>
        <legend>${texts[language].dimensions[dimension]}</legend>
        <p><small>${texts[language].ask.choose}</small></p>
        ${values.map(
          (value) =>
            html`<label>
              <input
                type="checkbox"
                name="${dimension}"
                value="${value}"
                ${form.getAll(dimension).includes(value) ? html`checked` : ''}
              />
              ${wordFor(catalogue, purpose, dimension, value, language)}
            </label>`,
        )}
      </fieldset>`,
  );

/**
 * The hosted page of a campaign: it asks one question, takes a yes by double opt-in and a no at once, and gives the receipt. Without scripts
 * and without a session.
 *
 * Who is known is not to be learned here: the same page, the same mail and the same time for everybody. A yes is `pending` until the code
 * from the mail is typed, so nobody can agree for somebody else. A no counts without that, since it may never be harder than a yes; whoever
 * types a stranger's address can thus end what that person agreed to, for what this page asks and nothing more. We take that rather than ask
 * people to prove themselves before they may refuse: the event says `hosted-page` and names the campaign, so that a spate of them is seen,
 * and the person's next yes, confirmed from the mailbox, stands above it.
 */
export const askPages = (deps: PortalDeps): Hono<HttpEnv> => {
  const about = ({ catalogue }: Asked) => aboutController(catalogue);

  const closedPage = (c: HttpContext, asked: Asked): Promise<Response> => {
    const language = requestLanguage(c);
    const { closedTitle, closed } = texts[language].ask;
    return answerPage(c, 410, { language, title: closedTitle, body: html`<p>${closed}</p>`, about: about(asked) });
  };

  /** Runs `handle` for a campaign that is open. */
  const whileOpen =
    (handle: (c: HttpContext, asked: Open) => Promise<Response>) =>
    async (c: HttpContext): Promise<Response> => {
      const asked = await whatIsAsked(deps, c.req.param('campaign')!);
      return asked.purpose ? handle(c, { ...asked, purpose: asked.purpose }) : closedPage(c, asked);
    };

  const question = (c: HttpContext, asked: Open, problem?: Problem, form = new URLSearchParams()) => {
    const { purpose, catalogue, campaign } = asked;
    const language = requestLanguage(c);
    const { ask } = texts[language];
    const notice = noticeOf(purpose, language);
    const fixed = scopeWords(catalogue, purpose, campaign.scope, language);
    const mailProblem = problem === 'email';
    return answerPage(c, problem ? 422 : 200, {
      language,
      title: purpose.title[language],
      body: html`${problemNote(problem, language)}
        <p>${ask.lead}</p>
        ${fixed && html`<p>${ask.fixed(fixed)}</p>`} ${noticeBlock(notice.text)}
        <form method="post" action="/ask/${campaign.id}?lang=${language}" novalidate>
          ${noImplicitAnswer}
          <input type="hidden" name="version" value="${notice.version}" />
          <input type="hidden" name="hash" value="${notice.hash}" />
          ${choices(asked, language, form)}
          <label for="email">${ask.email}</label>
          <input
            type="email"
            id="email"
            name="email"
            required
            maxlength="300"
            autocomplete="email"
            aria-describedby="${mailProblem ? 'problem email-help' : 'email-help'}"
            ${mailProblem ? html`aria-invalid="true"` : ''}
            value="${form.get('email') ?? ''}"
          />
          <small id="email-help">${ask.emailHelp}</small>
          <div class="answers">
            <button type="submit" name="decision" value="yes">${ask.yes}</button>
            <button type="submit" name="decision" value="no">${ask.no}</button>
          </div>
          <p><small>${ask.noHelp}</small></p>
        </form>`,
      about: about(asked),
    });
  };

  const codePage = (c: HttpContext, asked: Asked, grant: Omit<PendingGrant, 'kind'>, problem?: Problem) => {
    const language = requestLanguage(c);
    const { ask } = texts[language];
    return answerPage(c, problem ? 422 : 200, {
      language,
      inOtherLanguages: false,
      title: ask.codeTitle,
      body: html`${problemNote(problem, language)}
        <p role="status">${ask.codeSent(grant.email)}</p>
        <form class="code" method="post" action="/ask/${grant.campaign}/confirm?lang=${language}" novalidate>
          <input type="hidden" name="pending" value="${deps.capabilities.sealPending(grant)}" />
          <label for="code">${ask.code}</label>
          <input
            type="text"
            id="code"
            name="code"
            required
            maxlength="32"
            autocomplete="one-time-code"
            autocapitalize="characters"
            spellcheck="false"
            ${problem ? html`aria-invalid="true" aria-describedby="problem"` : ''}
          />
          <button type="submit">${ask.confirm}</button>
        </form>
        <p>${ask.codeNone} <a href="/ask/${grant.campaign}?lang=${language}">${ask.startAgain}</a></p>`,
      about: about(asked),
    });
  };

  /** The system that runs the campaign asks; the page is its mouth. */
  const askedBy = ({ campaign }: Asked) => ({ system: campaign.system, clientId: 'askfirst' });

  const answerQuestion = async (c: HttpContext, asked: Open): Promise<Response> => {
    assertFromHere(c, deps.baseUrl);
    const { campaign, catalogue, purpose } = asked;
    const language = requestLanguage(c);
    const form = await readForm(c);
    const answered = readAnswer(form, asked, language);
    if ('problem' in answered) return question(c, asked, answered.problem, form);
    const { decision, email, scopes } = answered;
    const { version, hash } = noticeOf(purpose, language);
    const notice = { version, language, hash };
    if (decision === 'yes') {
      const { granted, endsInMs } = await deps.takeTokens(`ask:${campaign.id}`, 1, yesesPerMinute, 60);
      if (granted === 0) throw new CampaignBusy(Math.max(1, Math.ceil(endsInMs / 1000)));
    }
    const [scope, ...rest] = scopes;
    const subject = `email:${email}`;
    const common = {
      subject,
      purpose: purpose.id,
      scope: scope!,
      notice,
      method: 'hosted-page',
      campaign: campaign.id,
    } as const;
    const record = () =>
      decision === 'no'
        ? recordConsent(deps, askedBy(asked), catalogue, {
            ...common,
            action: 'refuse',
            unlessSaidSince: deps.clock.now().subtract(sameNo),
          })
        : recordConsent(deps, askedBy(asked), catalogue, { ...common, action: 'give', confirmAt: subject });
    const event = await evenly(record()).catch((error: unknown) => {
      // Who was erased, or has said no already, is not to be learned here either; no mail comes, and no code fits.
      if (error instanceof SubjectErased || error instanceof NoSaidAlready)
        return { subjectId: deps.ids.uuid(), id: deps.ids.uuid() };
      throw error;
    });
    deps.wake();
    if (decision === 'yes')
      return codePage(c, asked, {
        campaign: campaign.id,
        subjectId: event.subjectId,
        eventId: event.id,
        rest,
        notice,
        email,
      });
    const { ask } = texts[language];
    return answerPage(c, 200, {
      language,
      inOtherLanguages: false,
      title: ask.thanksTitle,
      // No receipt and no link: whose address it is, nobody has shown.
      body: html`<p role="status">${ask.thanksNo(purpose.title[language])}</p>`,
      about: about(asked),
    });
  };

  const thanks = (c: HttpContext, asked: Asked, { subjectId, events }: { subjectId: string; events: string[] }) => {
    const language = requestLanguage(c);
    const { ask } = texts[language];
    const title = asked.catalogue.purposes.get(asked.campaign.purpose)?.title[language] ?? '';
    const withdraw = noLink(deps, subjectId);
    return answerPage(c, 200, {
      language,
      inOtherLanguages: false,
      title: ask.thanksTitle,
      body: html`<p role="status">${ask.thanksYes(title)}</p>
        <h2>${ask.receipt}</h2>
        <p>${ask.receiptHelp}</p>
        <ul>
          ${events.map(
            (eventId, index) =>
              html`<li>
                <a href="/receipt/${deps.capabilities.sealReceipt({ subjectId, eventId })}" download
                  >${ask.receipt}${events.length > 1 && ` ${index + 1}`}</a
                >
              </li>`,
          )}
        </ul>
        <h2>${ask.withdraw}</h2>
        <p>${ask.withdrawHelp}</p>
        <p><a class="address" href="${withdraw}">${withdraw}</a></p>`,
      about: about(asked),
    });
  };

  /**
   * Records the other choices of a confirmed yes, each once and as old as that one: the form may be sent again long after a no, and a crash may have
   * kept some from being recorded. What occurred before a no never overrides it. Answers their ids.
   */
  const recordRest = async (asked: Asked, { rest, notice }: PendingGrant, confirmed: RecordedEvent) => {
    const { subjectId } = confirmed;
    const scopes = new Map(rest.map((scope) => [derivedUuid(JSON.stringify([confirmed.id, scope])), scope]));
    const ids = [...scopes.keys()];
    const recorded = await recordedIds(
      deps.database,
      ids.map((id) => ({ subjectId, id })),
    );
    for (const [eventId, scope] of scopes) {
      if (recorded.has(eventId)) continue;
      await recordConsent(deps, askedBy(asked), asked.catalogue, {
        eventId,
        subjectId,
        purpose: asked.campaign.purpose,
        scope,
        notice,
        method: 'hosted-page',
        campaign: asked.campaign.id,
        action: 'give',
        occurredAt: confirmed.occurredAt,
        confirmedBy: confirmed.id,
        evidence: `the mailbox was proved by the code of ${confirmed.id}`,
      }).catch((error: unknown) => {
        // The same form may have been sent twice at once.
        if (!isRecordedAlready(error)) throw error;
      });
    }
    return ids;
  };

  /** Open also after the campaign closed: who was asked before may finish answering. */
  const confirm = async (c: HttpContext): Promise<Response> => {
    assertFromHere(c, deps.baseUrl);
    const form = await readForm(c);
    const grant = deps.capabilities.openPending(form.get('pending') ?? '');
    const asked = await whatIsAsked(deps, grant.campaign);
    const code = (form.get('code') ?? '').slice(0, 64);
    const { subjectId, eventId } = grant;
    const gpc = header(c, 'sec-gpc');
    let event: RecordedEvent;
    try {
      event = await confirmConsent(deps, askedBy(asked), asked.catalogue, {
        subjectId,
        eventId,
        code,
        gpc: saysNo(gpc),
      });
    } catch (error) {
      if (error instanceof AppError && error.kind !== 'unavailable') return codePage(c, asked, grant, 'code');
      throw error;
    }
    // Only now is it known whose browser that is. The yes just given was meant, and stays.
    await noteSignal(deps, event.subjectId, gpc);
    const more = await recordRest(asked, grant, event);
    deps.wake();
    return thanks(c, asked, { subjectId: event.subjectId, events: [event.id, ...more] });
  };

  const qr = async (c: HttpContext): Promise<Response> => {
    const { campaign } = await whatIsAsked(deps, c.req.param('campaign')!);
    const svg = encodeQR(campaignUrl(deps, campaign.id), 'svg', { ecc: 'medium', border: 4 });
    return answer(c, 200, svg, 'image/svg+xml', {
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    });
  };

  const printPage = async (c: HttpContext, asked: Open): Promise<Response> => {
    const language = requestLanguage(c);
    const { ask } = texts[language];
    const { campaign, purpose } = asked;
    return answerPage(c, 200, {
      language,
      title: purpose.title[language],
      body: html`<p>${purpose.notices.at(-1)!.summary[language]}</p>
        <img class="qr" src="/ask/${campaign.id}/qr.svg" alt="${ask.qr}" width="320" height="320" />
        <p><strong>${campaignUrl(deps, campaign.id)}</strong></p>
        <p>${ask.scan}</p>`,
      about: about(asked),
    });
  };

  const receipt = async (c: HttpContext): Promise<Response> => {
    const { subjectId, eventId } = deps.capabilities.openReceipt(c.req.param('token')!);
    const signed = await deps.receipt(await readEvent(deps.database, subjectId, eventId));
    return answer(c, 200, signed, 'application/jose', { 'Content-Disposition': 'attachment; filename="receipt.jws"' });
  };

  const route = (handler: (c: HttpContext) => Promise<Response>) => pageRoute(deps.log, handler);
  return new Hono<HttpEnv>()
    .get('/ask/:campaign', route(whileOpen((c, asked) => question(c, asked))))
    .post('/ask/:campaign', route(whileOpen(answerQuestion)))
    .post('/ask/:campaign/confirm', route(confirm))
    .get('/ask/:campaign/qr.svg', route(qr))
    .get('/ask/:campaign/print', route(whileOpen(printPage)))
    .get('/receipt/:token', route(receipt));
};
