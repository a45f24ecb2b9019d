import { html } from 'hono/html';
import { answer } from '../http/answer.ts';
import type { HttpContext } from '../http/env.ts';
import { languages, type Catalogue, type Language } from '../policies/index.ts';
import { languageOf } from './language.ts';
import { stylesheetPath } from './stylesheet.ts';

/** What the tagged template `html` of Hono makes: every value in it is escaped. */
export type Html = ReturnType<typeof html>;

/** What a page consists of. `title` is its heading and its name in the browser, `about` who is responsible for it (Art. 13(1)(a) GDPR). */
export type Page = {
  language: Language;
  title: string;
  body: Html;
  /** False where the page answers a form: a link to another language would lead back to its beginning. */
  inOtherLanguages?: boolean;
  about?: { name: string; email: string; address: string } | undefined;
};

const names: Record<Language, string> = { de: 'Deutsch', fr: 'Français', it: 'Italiano', en: 'English' };
const chooseLanguage: Record<Language, string> = { de: 'Sprache', fr: 'Langue', it: 'Lingua', en: 'Language' };
const responsible: Record<Language, string> = {
  de: 'Verantwortlich:',
  fr: 'Responsable :',
  it: 'Responsabile:',
  en: 'Responsible:',
};

/** Nothing runs, nothing comes from elsewhere, nobody frames it, and forms go to ourselves. */
const policy = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'Content-Security-Policy': policy,
  // The path may hold a capability: it must reach nobody by a link that is followed.
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  // A person may pass on the address of a page; what finds it there shall not list it.
  'X-Robots-Tag': 'noindex, nofollow',
};

/** The language in which to answer this request. */
export const requestLanguage = (c: HttpContext): Language =>
  languageOf(c.req.query('lang'), c.req.header('accept-language'));

/** Who is responsible, for the foot of a page. */
export const aboutController = ({ controller: { name, contact } }: Catalogue): Page['about'] => ({ name, ...contact });

/** A whole page: one column, for a phone first, readable without scripts and images, dark where the person likes it dark. */
export const page = ({ language, title, body, about, inOtherLanguages = true }: Page): Html =>
  html`<!doctype html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="stylesheet" href="${stylesheetPath}" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        ${
          inOtherLanguages &&
          html`<header>
            <nav aria-label="${chooseLanguage[language]}">
              <ul>
                ${languages.map(
                  (one) =>
                    html`<li>
                      <a
                        href="?lang=${one}"
                        lang="${one}"
                        hreflang="${one}"
                        ${one === language ? html`aria-current="true"` : ''}
                        >${names[one]}</a
                      >
                    </li>`,
                )}
              </ul>
            </nav>
          </header>`
        }
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
        ${
          about &&
          html`<footer>
            <small
              >${responsible[language]} ${about.name}, ${about.address},
              <a href="mailto:${about.email}">${about.email}</a></small
            >
          </footer>`
        }
      </body>
    </html> `;

/** Answers a page with the headers that every page has. */
export const answerPage = async (c: HttpContext, status: number, content: Page): Promise<Response> =>
  answer(c, status, (await page(content)).toString(), 'text/html; charset=utf-8', pageHeaders);
