export type Form = {
  action: string;
  /** What it sends of itself. */
  fields: URLSearchParams;
  /** What somebody fills in or ticks. */
  inputs: { name: string; value: string }[];
  buttons: { name: string; value: string; words: string }[];
};

/** A page as somebody without scripts gets it: status, headers, its text, and its forms with the fields they would send. */
export type Visited = {
  status: number;
  headers: Headers;
  html: string;
  /** What the page is headed with. */
  title: string;
  /** Text as read, one blank between words. */
  text: string;
  forms: Form[];
  links: string[];
};

const entities: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' };
const plain = (html: string): string => html.replaceAll(/&(lt|gt|quot|#39|amp);/g, (entity) => entities[entity]!);

const attributes = (tag: string): Record<string, string> =>
  Object.fromEntries(
    [...tag.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)].slice(1).map(([, name, value]) => [name!, plain(value ?? '')]),
  );

const words = (html: string): string =>
  plain(html.replaceAll(/<[^>]*>/g, ' '))
    .replaceAll(/\s+/g, ' ')
    .trim();

const read = async (answer: Response, from: string): Promise<Visited> => {
  const html = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    html,
    title: words(/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(html)?.[1] ?? ''),
    text: words(html.slice(html.indexOf('<body>'))),
    links: [...html.matchAll(/<a\s[^>]*href="([^"]*)"/g)].map(([, href]) => plain(href!)),
    forms: [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, own, inner]) => ({
      action: new URL(attributes(`form ${own!}`)['action'] ?? '', from).href,
      fields: new URLSearchParams(
        [...inner!.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)].map(([tag]) => {
          const { name, value } = attributes(tag);
          return [name!, value!];
        }),
      ),
      inputs: [...inner!.matchAll(/<input\b(?![^>]*type="hidden")[^>]*>/g)].map(([tag]) => {
        const { name = '', value = '' } = attributes(tag);
        return { name, value };
      }),
      buttons: [...inner!.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)]
        .filter(([, own]) => !/\bdisabled\b/.test(own!))
        .map(([, own, label]) => {
          const { name = '', value = '' } = attributes(`button ${own!}`);
          return { name, value, words: words(label!) };
        }),
    })),
  };
};

export const visit = async (url: string, headers: Record<string, string> = {}): Promise<Visited> =>
  read(await fetch(url, { headers, redirect: 'manual' }), url);

/** Sends a form as a browser would, with what somebody filled in. */
export const submit = async (
  form: Form,
  filled: Record<string, string | string[]> = {},
  headers: Record<string, string> = {},
): Promise<Visited> => {
  const body = new URLSearchParams(form.fields);
  for (const [name, values] of Object.entries(filled)) {
    body.delete(name);
    for (const value of [values].flat()) body.append(name, value);
  }
  const answer = await fetch(form.action, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin', ...headers },
    body,
    redirect: 'manual',
  });
  return read(answer, form.action);
};
