import { countObligations, listClients } from '../../systems/index.ts';
import { fail, ok, warn, type Check } from './finding.ts';

const overdue: Check = {
  name: 'obligations',
  run: async ({ data }) => {
    const late = (await countObligations(data)).filter((one) => one.overdue > 0);
    return late.length > 0
      ? fail(
          `overdue: ${late.map((one) => `${one.system} ${one.overdue}`).join(', ')}; these systems still hold what they were told to let go`,
          'see that their webhook answers, or that they fetch and acknowledge',
        )
      : ok('none is overdue');
  },
};

const endpoints: Check = {
  name: 'endpoints',
  run: async ({ data, policySets }) => {
    const { systems } = await policySets.current();
    const working = (await listClients(data)).filter(({ revokedAt }) => revokedAt === null);
    const set = new Set(
      (await data.read<{ system: string }>('select system from endpoint')).map(({ system }) => system),
    );
    const without = [...new Set(working.map(({ system }) => system))].filter(
      (system) => systems.get(system)?.kind === 'webhook' && !set.has(system),
    );
    return without.length > 0
      ? warn(
          `nothing can be delivered to ${without.join(', ')}: no endpoint is set`,
          'let each call PUT /v1/endpoint, or make it kind "pull" in systems.yaml',
        )
      : ok('every system that has a client can be told');
  },
};

const tasks: Check = {
  name: 'tasks',
  run: async ({ mail, policySets }) => {
    const { systems } = await policySets.current();
    const manual = [...systems.values()].filter(({ kind }) => kind === 'manual').map(({ id }) => id);
    if (manual.length === 0) return ok('no system is told by mail');
    return mail === undefined
      ? fail(
          `nobody is told what ${manual.join(', ')} must do: it is kind "manual", and there is no mail server`,
          'set MAIL_URL and MAIL_FROM, or make it kind "pull" in systems.yaml',
        )
      : ok(`${manual.join(', ')}: a colleague is told by mail`);
  },
};

const use: Check = {
  name: 'clients',
  run: async ({ data }) => {
    const working = (await listClients(data)).filter(({ revokedAt }) => revokedAt === null);
    if (working.length === 0) return warn('there is no client: no system can ask', 'run "askfirst clients create"');
    const systems = [...new Set(working.map(({ system }) => system))];
    const idle: string[] = [];
    for (const system of systems) {
      const [row] = await data.read<{ used: boolean }>(
        `select exists (select from denial where system = $1) or exists (select from permit where system = $1)
             or exists (select from audit_event where system = $1) as used`,
        [system],
      );
      if (!row!.used) idle.push(system);
    }
    return idle.length > 0
      ? warn(
          `${idle.join(', ')}: has a client and never asked or recorded anything`,
          'connect it, or revoke its client: "askfirst clients list"',
        )
      : ok(`${working.length} client(s), all of systems that use theirs`);
  },
};

const limits: Check = {
  name: 'rate limit',
  run: async ({ data, settings }) => {
    const [row] = await data.read<{ count: number }>(
      `select count(*)::int as count from rate_limit where key like 'calls:%' and window_ends_at > now() and taken >= $1`,
      [settings.callsPerMinute],
    );
    return row!.count > 0
      ? warn(
          `${row!.count} client(s) have used up this minute’s ${settings.callsPerMinute} calls and are refused`,
          'raise RATE_LIMIT_PER_MINUTE, or let them ask in batches (evaluations)',
        )
      : ok(`${settings.callsPerMinute} calls per client and minute; nobody has used them up`);
  },
};

export const systemChecks: readonly Check[] = [overdue, endpoints, tasks, use, limits];
