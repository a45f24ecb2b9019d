import { linkQuestion } from './demo/chapters/linking.ts';
import { posterPath } from './demo/chapters/signing-up.ts';
import { play } from './demo/journey.ts';
import { narrator } from './demo/narrator.ts';
import { setStage, type Stage } from './demo/stage.ts';

/** A check to be pasted into a shell. It gets its own token, so it works for as long as the demo runs. */
const readyCurl = ({ url, desk }: Stage): string[] => {
  const { action, resource, context } = linkQuestion('facebook:1029384756');
  return [
    `curl -s ${url}/access/v1/evaluation -H 'Content-Type: application/json' \\`,
    `  -H "Authorization: Bearer $(curl -s ${url}/oauth/token \\`,
    `    -u ${desk.clientId}:${desk.clientSecret} \\`,
    `    -d grant_type=client_credentials \\`,
    `    | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')" \\`,
    `  -d '{"subject":${JSON.stringify({ type: 'system', id: desk.system })},"action":${JSON.stringify({ name: action })},`,
    `       "resource":${JSON.stringify(resource)},`,
    `       "context":${JSON.stringify(context)}}'`,
  ];
};

/** What there is to do once the journey is over. */
const invite = (stage: Stage, decisionId: string): void => {
  narrator.title(
    'It stays up. Ask for yourself:',
    'Eva has said no by now. With -H "Accept-Language: de" the reasons come in German.',
  );
  narrator.verbatim(...readyCurl(stage));
  narrator.title('Why was that?', 'Every rule that was asked, out of the record of the last decision:');
  narrator.verbatim(`ASKFIRST_DATA=${stage.folder} npm run -s askfirst -- \\`, `  policies explain ${decisionId}`);
  narrator.gap();
  narrator.address('Askfirst', stage.url, `every call: ${stage.url}/docs`);
  narrator.address('Community desk', stage.deskUrl, 'what it holds, and what it has done');
  narrator.address('Poster', stage.url + posterPath, 'the page, in four languages');
  narrator.gap();
  narrator.address('Ctrl-C', 'ends everything and removes its data.', '');
  narrator.gap();
};

/** `npm run demo`: plays the journey on a database of its own and stays up for a look; with `--once` it ends when it is told. */
const main = async (once: boolean): Promise<void> => {
  const cleanup = new AsyncDisposableStack();
  narrator.title(
    'Askfirst: ask first, then link',
    'A journey over real HTTP, on a database of its own that is gone afterwards.',
  );
  const startedAt = performance.now();
  const staging = setStage(cleanup);
  let ending: Promise<never> | undefined;
  /** Ends once, whoever asks for it: npm passes on a Ctrl-C that this process has heard itself. */
  const end = (exitCode: number): Promise<never> =>
    (ending ??= staging
      .catch(() => {}) // told below
      .then(() => cleanup.disposeAsync())
      .then(() => narrator.end())
      .catch((error: unknown) => narrator.failure((error as Error).message))
      .then(() => process.exit(exitCode)));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
  // `npm run demo | head`: nobody listens any more.
  process.stdout.on('error', () => void end(0));

  try {
    const stage = await staging;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    narrator.address('Askfirst', stage.url, `with its PostgreSQL, ready in ${seconds} s`);
    narrator.address('Community desk', stage.deskUrl, 'a system in another process, which holds links');
    narrator.address('Mail server', stage.mailbox.url, 'a real one, which keeps what it takes');
    const { decisionId } = await play(stage);
    if (once) await end(0);
    invite(stage, decisionId);
  } catch (error) {
    if (!ending) narrator.failure((error as Error).message);
    await end(1);
  }
};

if (import.meta.main) {
  const words = process.argv.slice(2);
  if (words.every((word) => word === '--once')) await main(words.length > 0);
  else {
    narrator.failure('The demo takes --once (play and end) or nothing (play and stay up).');
    process.exitCode = 2;
  }
}
