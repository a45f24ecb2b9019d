import { Hono } from 'hono';
import { html } from 'hono/html';
import type { HttpContext, HttpEnv } from '../http/env.ts';
import type { Database } from '../kernel/database/client.ts';
import type { Log } from '../kernel/log.ts';
import type { Catalogue, Language } from '../policies/index.ts';
import {
  acknowledgeObligation,
  readTask,
  systemsSchemas,
  taskWords,
  type describeObligations,
  type Obligation,
  type TaskGrant,
} from '../systems/index.ts';
import { FormUnreadable, LinkUnknown } from './errors.ts';
import { readForm } from './form.ts';
import { aboutController, answerPage, requestLanguage, type Html } from './layout.ts';
import { pageRoute } from './page-route.ts';
import { taskTexts, waysOfTelling } from './task-texts.ts';

export type TaskDeps = Parameters<typeof acknowledgeObligation>[0] & {
  database: Database;
  log: Log;
  catalogue(): Promise<Catalogue>;
  describe: ReturnType<typeof describeObligations>;
  /** What the token of a mailed link allows. */
  openTask(token: string): TaskGrant | undefined;
};

/** Which words the person was shown and how: of the mailed notice, and as the colleague says. */
const readInformed = async (c: HttpContext, { notice }: TaskGrant) => {
  const method = (await readForm(c)).get('method');
  const read = systemsSchemas.informedSchema.safeParse({ notice, method });
  if (!read.success) throw new FormUnreadable('does not say how the person was told');
  return read.data;
};

const doneForm = (kind: Obligation['kind'], language: Language): Html => {
  const { done, how, ways } = taskTexts[language];
  return html`<form method="post" action="?lang=${language}">
    ${
      kind === 'inform' &&
      html`<label
        >${how}
        <select name="method" required>
          <option value=""></option>
          ${waysOfTelling.map((way) => html`<option value="${way}">${ways[way]}</option>`)}
        </select></label
      >`
    }
    <button type="submit">${done}</button>
  </form>`;
};

/**
 * `/tasks/{token}`: the task that was mailed to a colleague, without signing in. Programs that look into mails open its link, so only the button acts;
 * what the token allows is to report this one obligation as done. Once it is, the page names nobody any more.
 */
export const taskPages = (deps: TaskDeps): Hono<HttpEnv> => {
  const find = async (c: HttpContext) => {
    const grant = deps.openTask(c.req.param('token')!);
    const task = grant && (await readTask(deps.database, grant));
    if (!task) throw new LinkUnknown();
    return { grant: grant!, ...task };
  };

  const said = async (c: HttpContext, title: 'thanksTitle' | 'alreadyTitle', text: 'thanks' | 'already') => {
    const language = requestLanguage(c);
    const texts = taskTexts[language];
    const about = aboutController(await deps.catalogue());
    return answerPage(c, 200, {
      language,
      title: texts[title],
      body: html`<p role="status">${texts[text]}</p>`,
      about,
    });
  };

  return new Hono<HttpEnv>()
    .get(
      '/tasks/:token',
      pageRoute(deps.log, async (c) => {
        const { grant, obligation, done } = await find(c);
        if (done) return said(c, 'alreadyTitle', 'already');
        const language = requestLanguage(c);
        const catalogue = await deps.catalogue();
        const described = (await deps.describe([obligation])).get(obligation.id);
        const { title, what, facts } = taskWords(catalogue, language, obligation, described, grant.notice?.version);
        return answerPage(c, 200, {
          language,
          title,
          body: html`<p>${what}</p>
            <dl>
              ${facts.map(
                ([label, value]) =>
                  html`<dt>${label}</dt>
                    <dd>${value}</dd>`,
              )}
            </dl>
            ${doneForm(obligation.kind, language)}`,
          about: aboutController(catalogue),
        });
      }),
    )
    .post(
      '/tasks/:token',
      pageRoute(deps.log, async (c) => {
        const { grant, obligation, done } = await find(c);
        if (done) return said(c, 'alreadyTitle', 'already');
        const informed = obligation.kind === 'inform' ? await readInformed(c, grant) : undefined;
        await acknowledgeObligation(deps, grant.system, grant.obligationId, informed);
        return said(c, 'thanksTitle', 'thanks');
      }),
    );
};
