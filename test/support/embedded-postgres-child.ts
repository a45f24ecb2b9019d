import postgres from 'postgres';
import { claimDataFolder } from '../../src/kernel/data-folder.ts';
import { startEmbeddedPostgres } from '../../src/kernel/embedded-postgres.ts';

/**
 * Stands for a process of ours in tests that end it, also violently: `node … <data folder> [<address to claim>]`.
 * Says on stdout, a JSON line each, that it is ready and how it ended; Ctrl-C and SIGTERM stop it.
 */
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const [dataFolder = '', claimed] = process.argv.slice(2);

try {
  const claim = claimed === undefined ? undefined : await claimDataFolder(dataFolder, { url: claimed });
  const server = await startEmbeddedPostgres({ dataFolder, log: { info: () => {}, warn: console.error } });
  const stop = async (): Promise<void> => {
    // A server that had heard the Ctrl-C too would be gone by now.
    const sql = postgres(server.superuserUrl('postgres'), { max: 1 });
    const answers = await sql`select 1`.then(() => true).catch(() => false);
    await sql.end();
    await server.stop();
    claim?.withdraw();
    say({ stopped: true, answersAfterSignal: answers });
    process.exit();
  };
  process.once('SIGINT', () => void stop()).once('SIGTERM', () => void stop());
  say({ port: server.port, reused: server.reused, url: server.superuserUrl('postgres') });
  setInterval(() => {}, 1000);
} catch (error) {
  say({ error: (error as Error).message });
  process.exit(1);
}
