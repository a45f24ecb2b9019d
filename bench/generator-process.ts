import { openConnection, type Connection } from './http-client.ts';
import { batchSize, type Load, type Outcome } from './load-shape.ts';
import { consentBody, evaluationBody, evaluationsBody, mayBeLinked, shuffled } from './population.ts';

const path = {
  echo: '/access/v1/evaluation',
  evaluation: '/access/v1/evaluation',
  evaluations: '/access/v1/evaluations',
  consent: '/v1/consents',
  insert: '/v1/consents',
};

type Prepared = { body: string; isRight(status: number, body: string): boolean };

const rightDecision = (permit: boolean) => {
  const begin = `{"decision":${permit},`;
  return (status: number, body: string): boolean => status === 200 && body.startsWith(begin);
};
const rightDecisions = (ns: readonly number[]) => (status: number, body: string) => {
  let at = 0;
  for (const n of ns) {
    at = body.indexOf('{"decision":', at) + 12;
    if (at < 12 || !body.startsWith(mayBeLinked(n) ? 'true' : 'false', at)) return false;
  }
  return status === 200 && !body.includes('{"decision":', at);
};

/** Made before the clock runs. More requests than any of the servers answers in the time, or all customers once. */
const prepare = ({ kind, total, from, measureMs, warmUpMs }: Load, order: Uint32Array): Prepared[] => {
  const customer = (place: number): number => order[(from + place) % total]!;
  if (kind === 'evaluations') {
    return Array.from({ length: Math.max(1, Math.min(200, Math.floor(total / batchSize))) }, (_, batch) => {
      const ns = Array.from({ length: Math.min(batchSize, total) }, (_, item) => customer(batch * batchSize + item));
      return { body: evaluationsBody(ns), isRight: rightDecisions(ns) };
    });
  }
  const count = Math.min(total, Math.ceil(((measureMs + warmUpMs) / 1000) * 25_000));
  const [permitted, denied] = [rightDecision(true), rightDecision(false)];
  return Array.from({ length: count }, (_, place) => {
    const n = customer(place);
    if (kind === 'echo') {
      const body = evaluationBody(n);
      return { body, isRight: (status, answer) => status === 200 && answer === body };
    }
    if (kind === 'evaluation') return { body: evaluationBody(n), isRight: mayBeLinked(n) ? permitted : denied };
    if (kind === 'insert') return { body: consentBody(n), isRight: (status) => status === 201 };
    return { body: consentBody(n), isRight: (status, answer) => status === 201 && answer.includes('"receipt":"') };
  });
};

const percentile = (sorted: Float64Array, share: number): number =>
  sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;

/** Puts a load on a server and measures. Sends `{began}` when the measured time begins. Bounded in time; throws at the first wrong answer. */
const run = async (load: Load, order: Uint32Array): Promise<Outcome> => {
  const { tokens, connections, port, kind, warmUpMs, measureMs, perSecond } = load;
  const requests = prepare(load, order);
  const length = requests[0]!.body.length;
  const even = requests.every(({ body }) => body.length === length);
  const headOf = (token: string, bytes: number): string =>
    `POST ${path[kind]} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
  const heads = tokens.map((token) => headOf(token, length));

  let failed: (error: Error) => void;
  const failure = new Promise<never>((_, reject) => (failed = reject));
  failure.catch(() => {});
  const open = await Promise.all(
    Array.from({ length: connections }, () => openConnection(port, (error) => failed(error))),
  );

  const latencies = new Float64Array(Math.ceil(measureMs * 100)); // nobody answers 100,000 a second
  let measured = 0;
  let place = 0;
  let underWay = 0;
  let ending = false;
  let startedAt = Infinity;
  let endsAt = Infinity;
  const late: number[] = [];

  const ask = (connection: Connection, index: number, since: number, then: () => void): void => {
    const request = requests[place++ % requests.length]!;
    const head = even ? heads[index % heads.length]! : headOf(tokens[index % tokens.length]!, request.body.length);
    underWay++;
    connection.send(head + request.body, (status, body) => {
      underWay--;
      if (!request.isRight(status, body)) {
        return failed(
          new Error(`wrong answer to ${kind}: ${status} ${body.slice(0, 600)} to ${request.body.slice(0, 600)}`),
        );
      }
      const now = performance.now();
      // On a timetable all counts that was due in the measured time, however late it was answered; else what was answered in it.
      const counts = perSecond === undefined ? now >= startedAt && !ending : since >= startedAt && since < endsAt;
      if (counts && measured < latencies.length) latencies[measured++] = now - since;
      then();
    });
  };

  const closedLoop = (): void => {
    open.forEach((connection, index) => {
      const again = (): void => {
        if (!ending) ask(connection, index, performance.now(), again);
      };
      again();
    });
  };

  const onTimetable = (rate: number): NodeJS.Timeout => {
    const free = open.map((connection, index) => ({ connection, index }));
    const beganAt = performance.now();
    let due = 0;
    const pump = (): void => {
      const now = performance.now();
      if (!ending) for (let at; (at = beganAt + (due * 1000) / rate) <= now; due++) late.push(at);
      while (late.length > 0 && free.length > 0) {
        const one = free.pop()!;
        ask(one.connection, one.index, late.shift()!, () => {
          free.push(one);
          if (late.length > 0) pump();
        });
      }
    };
    return setInterval(pump, 1);
  };

  const after = (ms: number): Promise<void> =>
    Promise.race([failure, new Promise<void>((resolve) => setTimeout(resolve, ms))]);
  let timetable: NodeJS.Timeout | undefined;
  try {
    if (perSecond === undefined) closedLoop();
    else timetable = onTimetable(perSecond);
    await after(warmUpMs);
    startedAt = performance.now();
    endsAt = startedAt + measureMs;
    const cpu = process.cpuUsage();
    process.send!({ began: true });
    await after(measureMs);
    // Requests that take longer than the measured time: until the first one is answered.
    while (measured === 0 && performance.now() < endsAt + 20_000) await after(5);
    ending = true;
    const seconds = perSecond === undefined ? (performance.now() - startedAt) / 1000 : measureMs / 1000;
    const used = process.cpuUsage(cpu);
    for (let waited = 0; underWay + late.length > 0 && waited < 10_000; waited += 10) await after(10);
    if (underWay + late.length > 0) throw new Error(`${underWay + late.length} requests were never answered`);
    const sorted = latencies.subarray(0, measured).sort();
    return {
      requests: measured,
      seconds,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
      cpuSeconds: (used.user + used.system) / 1e6,
      used: kind === 'evaluations' ? Math.min(place, requests.length) * batchSize : place,
    };
  } finally {
    clearInterval(timetable);
    for (const connection of open) connection.close();
  }
};

let order: Uint32Array | undefined;
process.on('message', (load: Load) => {
  if (order?.length !== load.total) order = shuffled(load.total);
  run(load, order).then(
    (outcome) => process.send!(outcome),
    (error: Error) => process.send!({ problem: error.message }),
  );
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
