import { Hono } from 'hono';
import { html } from 'hono/html';
import { everything, recordedAct, type RecordedEvent, type Scope } from '../consent/index.ts';
import type { HttpContext, HttpEnv } from '../http/env.ts';
import { header } from '../http/header.ts';
import type { Catalogue, Language, Purpose } from '../policies/index.ts';
import type { PortalDeps } from './deps.ts';
import { LinkUnknown } from './errors.ts';
import { readForm } from './form.ts';
import { aboutController, answerPage, requestLanguage, type Html } from './layout.ts';
import { pageRoute } from './page-route.ts';
import { noteSignal, sayNo } from './say-no.ts';
import { scopeWords } from './scope-words.ts';
import { texts } from './texts.ts';

/** RFC 8058 section 3.1 */
const oneClick = { name: 'List-Unsubscribe', value: 'One-Click' };

const allForm = (token: string, language: Language): Html => {
  const { no } = texts[language];
  return html`<form method="post" action="/no/${token}?lang=${language}">
    <input type="hidden" name="purpose" value="${everything}" />
    <button type="submit">${no.all}</button>
    <p><small>${no.allExplain}</small></p>
  </form>`;
};

const signalNote = (seen: boolean, language: Language): Html =>
  html`${seen && html`<p role="status">${texts[language].no.gpc}</p>`}`;

/** A no that the legal basis gives a right to; of the others a person is not offered what would change nothing. */
const canRefuse = ({ legalBasis, retired }: Purpose): boolean =>
  recordedAct('no', legalBasis) === 'no' && retired === undefined;

/** What was said no to, in words. */
const whatFor = (catalogue: Catalogue, { purpose, scope }: { purpose: string; scope: Scope }, language: Language) => {
  const { no, everything: all } = texts[language];
  const known = catalogue.purposes.get(purpose);
  return {
    title: purpose === everything ? all : (known?.title[language] ?? no.unknownPurpose),
    scope: scopeWords(catalogue, known, scope, language),
  };
};

/**
 * The pages on which a person can only say no, opened with a capability and nothing else: no cookie, no sign-in, no limit of tries, since
 * taking consent back may never be harder than giving it (Art. 7(3) GDPR). They show neither who the person is nor what was answered, so
 * that a forwarded mail tells nobody anything.
 * `/u/{token}` is the address in List-Unsubscribe (RFC 2369, RFC 8058), `/no/{token}` the page for everything.
 */
export const noPages = (deps: PortalDeps): Hono<HttpEnv> => {
  const done = async (
    c: HttpContext,
    about: { purpose: string; scope: Scope; event: RecordedEvent | undefined; signal: boolean },
  ): Promise<Response> => {
    const language = requestLanguage(c);
    const catalogue = await deps.catalogue();
    const { no } = texts[language];
    const { title, scope } = whatFor(catalogue, about, language);
    const what = scope === '' ? title : `${title} (${scope})`;
    return answerPage(c, 200, {
      language,
      inOtherLanguages: false,
      title: no.doneTitle,
      body: html`<p role="status">${about.event?.answer === 'request' ? no.doneRequest : no.done(what)}</p>
        <p>${no.changeMind}</p>
        ${signalNote(about.signal, language)}`,
      about: aboutController(catalogue),
    });
  };

  const unsubscribePage = async (c: HttpContext): Promise<Response> => {
    const token = c.req.param('token')!;
    const { subjectId, purpose, scope } = deps.capabilities.openNo(token);
    const language = requestLanguage(c);
    const catalogue = await deps.catalogue();
    const { no } = texts[language];
    const what = whatFor(catalogue, { purpose, scope }, language);
    return answerPage(c, 200, {
      language,
      title: no.title,
      body: html`<p>${no.about(what.title, what.scope)}</p>
        <p>${no.explain}</p>
        <form method="post" action="?lang=${language}">
          <input type="hidden" name="${oneClick.name}" value="${oneClick.value}" />
          <button type="submit">${no.this}</button>
        </form>
        ${
          purpose !== everything &&
          allForm(deps.capabilities.sealNo({ subjectId, purpose: everything, scope: {} }), language)
        }`,
      about: aboutController(catalogue),
    });
  };

  /**
   * RFC 8058 section 3.2: the provider of the mailbox posts this on the person's behalf, without cookies and without following redirects; so
   * it acts at once, and only on that field. Whatever else is posted is shown the page: a scanner that submits forms blindly says no to nothing.
   */
  const unsubscribe = async (c: HttpContext): Promise<Response> => {
    const grant = deps.capabilities.openNo(c.req.param('token')!);
    const form = await readForm(c);
    if (form.get(oneClick.name) !== oneClick.value) return unsubscribePage(c);
    const { subjectId, purpose, scope } = grant;
    const event = await sayNo(deps, { subjectId, purpose, scope, purposeWasOurs: true });
    const signal = await noteSignal(deps, subjectId, header(c, 'sec-gpc'));
    return done(c, { purpose, scope, event, signal });
  };

  const listPage = async (c: HttpContext): Promise<Response> => {
    const token = c.req.param('token')!;
    const { subjectId, purpose: granted } = deps.capabilities.openNo(token);
    if (granted !== everything) throw new LinkUnknown();
    const language = requestLanguage(c);
    const catalogue = await deps.catalogue();
    const { no } = texts[language];
    const signal = await noteSignal(deps, subjectId, header(c, 'sec-gpc'));
    return answerPage(c, 200, {
      language,
      title: no.listTitle,
      body: html`<p>${no.list}</p>
        <p>${no.explain}</p>
        ${signalNote(signal, language)} ${allForm(token, language)}
        ${[...catalogue.purposes.values()].filter(canRefuse).map(
          ({ id, title, notices }) =>
            html`<article>
              <h2>${title[language]}</h2>
              <p>${notices.at(-1)!.summary[language]}</p>
              <form method="post" action="?lang=${language}">
                <input type="hidden" name="purpose" value="${id}" />
                <button type="submit">${no.buttonFor(title[language])}</button>
              </form>
            </article>`,
        )}`,
      about: aboutController(catalogue),
    });
  };

  /** Also for a purpose that was retired since the page was opened. */
  const sayNoToOne = async (c: HttpContext): Promise<Response> => {
    const { subjectId, purpose: granted } = deps.capabilities.openNo(c.req.param('token')!);
    if (granted !== everything) throw new LinkUnknown();
    const purpose = (await readForm(c)).get('purpose');
    if (!purpose) return listPage(c);
    const event = await sayNo(deps, { subjectId, purpose, scope: {}, purposeWasOurs: false });
    // Whether anything was recorded would tell whether the person ever answered: so no word of it, but what there is to refuse now.
    if (purpose !== everything && !(await deps.catalogue()).purposes.has(purpose)) return listPage(c);
    const signal = await noteSignal(deps, subjectId, header(c, 'sec-gpc'));
    return done(c, { purpose, scope: {}, event, signal });
  };

  return new Hono<HttpEnv>()
    .get('/u/:token', pageRoute(deps.log, unsubscribePage))
    .post('/u/:token', pageRoute(deps.log, unsubscribe))
    .get('/no/:token', pageRoute(deps.log, listPage))
    .post('/no/:token', pageRoute(deps.log, sayNoToOne));
};
