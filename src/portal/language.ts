import { languages, type Language } from '../policies/index.ts';

const isLanguage = (text: string | undefined): text is Language => languages.includes(text as Language);

/**
 * The language of a page: what the link says (`?lang=`), else what the browser wants most of ours (Accept-Language, RFC 9110 section
 * 12.5.4), else English.
 */
export const languageOf = (wish: string | undefined, accept: string | undefined): Language => {
  if (isLanguage(wish)) return wish;
  const wanted = (accept ?? '').split(',').flatMap((range) => {
    const [tag = '', ...parameters] = range.split(';');
    const quality = parameters.map((one) => /^\s*q=([\d.]+)\s*$/.exec(one)?.[1]).find((found) => found !== undefined);
    const language = tag.trim().toLowerCase().split('-', 1)[0];
    return isLanguage(language) ? [{ language, quality: quality === undefined ? 1 : Number(quality) }] : [];
  });
  const [best] = wanted.filter(({ quality }) => quality > 0).toSorted((a, b) => b.quality - a.quality);
  return best?.language ?? 'en';
};
