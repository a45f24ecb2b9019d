/**
 * Conformance with the OpenID AuthZEN Authorization API 1.0 (final, January 2026), from outside, over HTTP. One test a
 * rule, named by its section; where the OpenID certification scenario says more exactly what is meant, by its name.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAuthzenTarget, type AuthzenTarget } from './support/authzen-target.ts';

const evaluation = '/access/v1/evaluation';
const evaluations = '/access/v1/evaluations';
const search = '/access/v1/search/resource';

let target: AuthzenTarget;
let bearer: string;

beforeAll(async () => {
  target = await startAuthzenTarget();
  bearer = await target.authorization();
});
afterAll(() => target.close());

type Answer = { status: number; headers: Headers; text: string; body: any };

const send = async (path: string, init: RequestInit): Promise<Answer> => {
  const response = await fetch(target.url + path, init);
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
};

/** Posts a body (an object as JSON, a string as it stands); a header of the value undefined is left out. */
const post = (path: string, body: unknown, headers: Record<string, string | undefined> = {}): Promise<Answer> => {
  const all = { 'content-type': 'application/json', authorization: bearer, ...headers };
  return send(path, {
    method: 'POST',
    // A Blob, unlike a string, brings no content type of its own.
    body: new Blob([typeof body === 'string' ? body : JSON.stringify(body)]),
    headers: Object.entries(all).filter((header): header is [string, string] => header[1] !== undefined),
  });
};

const decide = async (body: unknown): Promise<boolean> => {
  const answer = await post(evaluation, body);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.decision).toBeTypeOf('boolean');
  return answer.body.decision;
};

/** The decisions of a batch, in order. */
const decideAll = async (body: unknown): Promise<boolean[]> => {
  const answer = await post(evaluations, body);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.evaluations.map(({ decision }: { decision: boolean }) => decision);
};

/** A refusal with an error message string (§10.1.2) in which the member is named. */
const expectRefusal = (answer: Answer, member = '', status = 400) => {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.body.detail).toBeTypeOf('string');
  expect(answer.body.detail).toContain(member);
  expect(answer.body).not.toHaveProperty('decision');
  expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules/);
};

const without = (body: object, path: string): object => change(body, path, () => undefined);

/** A copy of `body` in which the member at `path` is another. */
const change = (body: object, path: string, to: (value: any) => unknown): object => {
  const copy = structuredClone(body) as any;
  const keys = path.split('.');
  const last = keys.pop()!;
  const holder = keys.reduce((value, key) => (value[key] ??= {}), copy);
  holder[last] = to(holder[last]);
  return copy;
};

/** What it is, in words, and the value. */
type Wrong = readonly (readonly [string, unknown])[];
const noString: Wrong = [
  ['a number', 7],
  ['a boolean', true],
  ['null', null],
  ['an array', ['x']],
  ['an object', { x: 1 }],
];
const noObject: Wrong = [
  ['a string', 'x'],
  ['a number', 7],
  ['a boolean', false],
  ['null', null],
  ['an array', [{}]],
];
const noSemantic: Wrong = [
  ['unknown', 'execute_some'],
  ['in other letters', 'EXECUTE_ALL'],
  ['empty', ''],
  ...noString,
];
const noToken: Wrong = [['invented', 'x'], ['empty', ''], ['of another service', 'a3M9NDU2O3N6PTI='], ...noString];
const noBody: Wrong = [
  ['empty', ''],
  ['no JSON', '{"subject":'],
  ['a form', 'subject=x'],
  ['null', 'null'],
  ['a string', '"x"'],
  ['a number', '7'],
  ['an array', '[{}]'],
];

const strings = ['subject.type', 'subject.id', 'action.name', 'resource.type', 'resource.id'];
const objects = ['subject', 'action', 'resource', 'context'];
const properties = ['subject.properties', 'action.properties', 'resource.properties'];

describe('§4 API version', () => {
  test('§4 endpoints include v1 in the identifier', async () => {
    const { body } = await send('/.well-known/authzen-configuration', {});
    const endpoints = Object.entries(body).filter(([name]) => name.endsWith('_endpoint'));
    for (const [name, url] of endpoints) expect(new URL(url as string).pathname, name).toContain('/v1/');
    expect(endpoints.length).toBeGreaterThan(0);
  });
});

describe('§5 information model', () => {
  const sections: Record<string, string> = { subject: '§5.1', resource: '§5.2', action: '§5.3', context: '§5.4' };
  const sectionOf = (path: string) => sections[path.split('.')[0]!]!;

  test.each(strings.map((path) => [sectionOf(path), path]))('%s %s is required', async (_, path) => {
    expectRefusal(await post(evaluation, without(target.permitted, path)), path);
  });

  test.each(strings.flatMap((path) => noString.map(([what, value]) => [sectionOf(path), path, what, value] as const)))(
    '%s %s is a string, not %s',
    async (_, path, __, value) => {
      expectRefusal(
        await post(
          evaluation,
          change(target.permitted, path, () => value),
        ),
        path,
      );
    },
  );

  test.each(
    [...objects, ...properties].flatMap((path) =>
      noObject.map(([what, value]) => [sectionOf(path), path, what, value] as const),
    ),
  )('%s %s is an object, not %s', async (_, path, __, value) => {
    expectRefusal(
      await post(
        evaluation,
        change(target.permitted, path, () => value),
      ),
      path,
    );
  });

  test.each(properties.map((path) => [sectionOf(path), path]))(
    '%s %s are optional and may hold any value',
    async (_, path) => {
      const values = {
        text: 'x',
        number: 1.5,
        flag: true,
        nothing: null,
        list: [1, [2]],
        object: { of: { objects: {} } },
      };
      await decide(change(target.permitted, path, () => values));
      await decide(change(target.permitted, path, () => ({})));
    },
  );

  test('§5.1 a subject other than the caller is an answer (denied), not an error', async () => {
    expect(await decide(change(target.permitted, 'subject.id', () => 'alice@example.com'))).toBe(false);
    expect(await decide(change(target.permitted, 'subject.type', () => 'user'))).toBe(false);
  });

  test('§5.2 a resource of an unknown type is an answer (denied), not an error', async () => {
    expect(await decide(change(target.permitted, 'resource', () => ({ type: 'spaceship', id: '1' })))).toBe(false);
  });

  test('§5.3 an unknown action is an answer (denied), not an error', async () => {
    expect(await decide(change(target.permitted, 'action.name', () => 'teleport'))).toBe(false);
  });

  test('§5.4 context is optional', async () => {
    await decide(without(target.permitted, 'context'));
    await decide(change(target.permitted, 'context', () => ({})));
  });

  test('§5.4 context may hold any attributes of the environment', async () => {
    await decide(change(target.permitted, 'context', (context) => ({ ...context, time: '1985-10-26T01:22-07:00' })));
  });

  test('§5.5 a decision is true where the access is permitted and false where it is denied', async () => {
    expect(await decide(target.permitted)).toBe(true);
    expect(await decide(target.denied)).toBe(false);
  });

  test('§5.5.1 the context of a decision is an object', async () => {
    for (const question of [target.permitted, target.denied]) {
      const { body } = await post(evaluation, question);
      if ('context' in body) expect(Object.getPrototypeOf(body.context)).toBe(Object.prototype);
    }
  });

  test('§5.5.1 reasons for administrators and for users are texts by code, as in example 1', async () => {
    const { body } = await post(evaluation, target.denied);
    const texts = Object.entries({ ...body.context?.reason_admin, ...body.context?.reason_user });
    expect(texts.length).toBeGreaterThan(0);
    for (const [code, text] of texts) expect(text, code).toBeTypeOf('string');
  });
});

describe('§6 access evaluation', () => {
  test.each(['subject', 'action', 'resource'])('§6.1 %s is required', async (member) => {
    expectRefusal(await post(evaluation, without(target.permitted, member)), member);
  });

  test('§6.1 every member that is missing is named', async () => {
    const answer = await post(evaluation, {});
    for (const member of ['subject', 'action', 'resource']) expectRefusal(answer, member);
  });

  test('§6.2 the answer is a decision and no more', async () => {
    const { body } = await post(evaluation, target.permitted);
    expect(Object.keys(body).filter((member) => member !== 'context')).toEqual(['decision']);
  });

  test('§6.2 the same question asked again has the same decision (certification: idempotency)', async () => {
    for (let time = 0; time < 5; time++) {
      expect(await decide(target.permitted)).toBe(true);
      expect(await decide(target.denied)).toBe(false);
    }
  });
});

describe('§7 access evaluations', () => {
  test.each([
    ['not present', undefined],
    ['empty', []],
  ])('§7.1 with evaluations %s it is a single evaluation', async (_, none) => {
    for (const question of [target.permitted, target.denied]) {
      const answer = await post(evaluations, { ...question, evaluations: none });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).not.toHaveProperty('evaluations');
      expect(answer.body.decision).toBe(question === target.permitted);
    }
  });

  test.each(['subject', 'action', 'resource'])('§7.1 a single evaluation without %s is refused', async (member) => {
    expectRefusal(await post(evaluations, without(target.permitted, member)), member);
    expectRefusal(await post(evaluations, { ...without(target.permitted, member), evaluations: [] }), member);
  });

  test('§7.1 each object is a distinct request, and the answers stand in the order of the questions', async () => {
    const mixed = Array.from({ length: 20 }, (_, index) => index % 3 === 0);
    const asked = mixed.map((permit) => (permit ? target.permitted : target.denied));
    expect(await decideAll({ evaluations: asked })).toEqual(mixed);
  });

  test('§7.1 subject, action and resource may be left out on top where every object has them', async () => {
    expect(await decideAll({ evaluations: [target.permitted] })).toEqual([true]);
  });

  test.each([...noObject.filter(([what]) => what !== 'an array'), ['an object', { 0: {} }] as const])(
    '§7.1 evaluations is an array, not %s',
    async (_, value) => {
      expectRefusal(await post(evaluations, { ...target.permitted, evaluations: value }), 'evaluations');
    },
  );

  test.each(noObject)('§7.1 evaluations holds objects, not %s', async (_, value) => {
    expectRefusal(await post(evaluations, { ...target.permitted, evaluations: [{}, value] }), 'evaluations.1');
  });

  test.each([...strings, ...objects, ...properties])(
    '§7.1 a mistyped %s in one object is refused by its place',
    async (path) => {
      const wrong = change(target.permitted, path, () => 7);
      expectRefusal(await post(evaluations, { evaluations: [target.permitted, wrong] }), `evaluations.1.${path}`);
    },
  );

  test('§7.1 a batch of 1,000 is answered', async () => {
    const { resource, ...defaults } = target.permitted;
    const batch = Array.from({ length: 1_000 }, (_, index) => ({
      resource: index % 2 === 0 ? resource : target.denied.resource,
    }));
    const decisions = await decideAll({ ...defaults, evaluations: batch });
    expect(decisions).toEqual(batch.map((_, index) => index % 2 === 0));
  });

  test('§11.7 a batch of more than 1,000 is refused', async () => {
    const batch = { ...target.permitted, evaluations: Array.from({ length: 1_001 }, () => ({})) };
    expectRefusal(await post(evaluations, batch), 'evaluations');
  });

  describe('§7.1.1 default values', () => {
    test.each(objects)('§7.1.1 %s on top is the default of each object', async (member) => {
      const item = without(target.permitted, member);
      const value = target.permitted[member as 'context'];
      expect(await decideAll({ [member]: value, evaluations: [item, item] })).toEqual([true, true]);
    });

    test('§7.1.1 an empty object takes everything from the top', async () => {
      expect(await decideAll({ ...target.permitted, evaluations: [{}] })).toEqual([true]);
    });

    test.each([
      ['subject', { type: 'system', id: 'no-such-system' }],
      ['action', { name: 'no-such-action' }],
      ['resource', { type: 'no-such-type', id: '1' }],
      ['context', {}],
    ])('§7.1.1 %s in an object overrides the default, for that object only', async (member, other) => {
      expect(await decideAll({ ...target.permitted, evaluations: [{}, { [member]: other }, {}] })).toEqual([
        true,
        false,
        true,
      ]);
      const item = { [member]: target.permitted[member as 'context'] };
      expect(await decideAll({ ...target.permitted, [member]: other, evaluations: [{}, item] })).toEqual([false, true]);
    });

    test.each([
      ['context', 'purpose'],
      ['context', 'customer'],
      ['resource', 'id'],
      ['resource', 'type'],
      ['subject', 'id'],
    ])('§7.1.1 %s replaces the default whole: its %s is not taken from the top', async (member, key) => {
      const partial = without({ [member]: target.permitted[member as 'context'] }, `${member}.${key}`);
      expect(await decideAll({ ...target.permitted, evaluations: [{}, partial] })).toEqual([true, false]);
    });

    test.each(['subject', 'action', 'resource'])(
      '§7.1.1 %s that is neither in the object nor on top denies that object',
      async (member) => {
        const top = without(target.permitted, member);
        const item = { [member]: target.permitted[member as 'resource'] };
        const { status, body } = await post(evaluations, { ...top, evaluations: [item, {}, item] });
        expect(status).toBe(200);
        expect(body.evaluations.map(({ decision }: { decision: boolean }) => decision)).toEqual([true, false, true]);
        expect(body.evaluations[1].context.error.message).toContain(`evaluations.1.${member}`);
      },
    );

    test.each(['subject', 'action', 'resource'])(
      '§7.1.1 %s that no object has and the top has not is refused',
      async (member) => {
        expectRefusal(await post(evaluations, { ...without(target.permitted, member), evaluations: [{}, {}] }), member);
      },
    );

    test.each([...strings, ...objects])(
      '§7.1.1 a default whose %s is mistyped is refused, though every object overrides it',
      async (path) => {
        const top = change(target.permitted, path, () => 7);
        expectRefusal(await post(evaluations, { ...top, evaluations: [target.permitted] }), path);
      },
    );
  });

  describe('§7.1.2 options', () => {
    test('§7.1.2 options are optional, and other options than ours are ignored', async () => {
      const batch = { ...target.permitted, evaluations: [{}] };
      expect(await decideAll({ ...batch, options: {} })).toEqual([true]);
      expect(await decideAll({ ...batch, options: { another_option: 'value' } })).toEqual([true]);
    });

    test.each(noObject)('§7.1.2 options is an object, not %s', async (_, value) => {
      expectRefusal(await post(evaluations, { ...target.permitted, evaluations: [{}], options: value }), 'options');
    });

    /** p permits, d denies, e misses a member. */
    const run = (letters: string, semantic: string | undefined) => {
      const { resource, ...defaults } = target.permitted;
      const items: Record<string, object> = { p: { resource }, d: { resource: target.denied.resource }, e: {} };
      const batch = { ...defaults, evaluations: letters.split('').map((letter) => items[letter]) };
      return decideAll(semantic === undefined ? batch : { ...batch, options: { evaluations_semantic: semantic } });
    };
    const [T, F] = [true, false];

    test.each([
      ['pdp', 'execute_all', [T, F, T]],
      ['dd', 'execute_all', [F, F]],
      ['pep', 'execute_all', [T, F, T]],
      ['pdp', 'deny_on_first_deny', [T, F]],
      ['ppp', 'deny_on_first_deny', [T, T, T]],
      ['dpp', 'deny_on_first_deny', [F]],
      ['pep', 'deny_on_first_deny', [T, F]],
      ['ep', 'deny_on_first_deny', [F]],
      ['pdp', 'permit_on_first_permit', [T]],
      ['ddp', 'permit_on_first_permit', [F, F, T]],
      ['ddd', 'permit_on_first_permit', [F, F, F]],
      ['depd', 'permit_on_first_permit', [F, F, T]],
    ])('§7.1.2.1 %s under %s is answered %j', async (letters, semantic, expected) => {
      expect(await run(letters, semantic)).toEqual(expected);
    });

    test('§7.1.2.1 execute_all is the default', async () => {
      expect(await run('pdp', undefined)).toEqual([T, F, T]);
    });

    test.each(noSemantic)('§7.1.2.1 a semantic is exactly one of three values, not %s', async (_, semantic) => {
      const batch = { ...target.permitted, evaluations: [{}], options: { evaluations_semantic: semantic } };
      expectRefusal(await post(evaluations, batch), 'options.evaluations_semantic');
      expectRefusal(await post(evaluations, { ...batch, evaluations: [] }), 'options.evaluations_semantic');
    });
  });

  test('§7.2 each value of the answer is a decision, and the top has none', async () => {
    const { body } = await post(evaluations, { evaluations: [target.permitted, target.denied] });
    expect(Object.keys(body)).toEqual(['evaluations']);
    for (const one of body.evaluations) {
      expect(one.decision).toBeTypeOf('boolean');
      expect(Object.keys(one).filter((member) => member !== 'decision' && member !== 'context')).toEqual([]);
    }
  });

  test('§7.2.1 an error of the whole payload is an HTTP error', async () => {
    expectRefusal(await post(evaluations, '{"evaluations":'));
  });

  test('§7.2.1 an error of one evaluation closes that one and is told in its context', async () => {
    const { resource: _, ...defaults } = target.permitted;
    const { status, body } = await post(evaluations, {
      ...defaults,
      options: { evaluations_semantic: 'execute_all' },
      evaluations: [{ resource: target.permitted.resource }, {}],
    });
    expect(status).toBe(200);
    expect(body.evaluations).toHaveLength(2);
    expect(body.evaluations[0].decision).toBe(true);
    expect(body.evaluations[1]).toEqual({
      decision: false,
      context: { error: { status: 400, message: expect.stringContaining('resource') } },
    });
  });
});

describe('§8 search', () => {
  type Page = { token?: string | undefined; limit?: number };
  const find = (page?: Page, request: object = target.search.request) =>
    post(search, page === undefined ? request : { ...request, page });
  const ids = ({ body }: Answer): string[] => body.results.map(({ id }: { id: string }) => id);

  test('§8.1 what a search finds is permitted when it is evaluated', async () => {
    const answer = await find();
    expect(answer.body.results.length).toBeGreaterThan(0);
    for (const resource of answer.body.results) expect(await decide({ ...target.search.request, resource })).toBe(true);
  });

  test('§8.2 following next_token to the empty one finds everything once', async () => {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const answer = await find(token === undefined ? { limit: 2 } : { token });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body.results.length).toBeLessThanOrEqual(2);
      found.push(...ids(answer));
      token = answer.body.page.next_token;
      expect(token).toBeTypeOf('string');
    } while (token !== '' && found.length < 1_000);
    expect(found.toSorted()).toEqual([...target.search.found].toSorted());
  });

  test('§8.2 a response that is not the whole result has a non-empty next_token', async () => {
    expect((await find({ limit: 1 })).body.page.next_token).not.toBe('');
  });

  test.each([
    ['subject', { type: 'system', id: 'other' }],
    ['action', { name: 'other' }],
    ['resource', { type: 'other' }],
    ['context', {}],
  ])('§8.2 with a token, another %s is refused', async (member, other) => {
    const token = (await find({ limit: 1 })).body.page.next_token;
    expectRefusal(await find({ token }, { ...target.search.request, [member]: other }), 'page.token');
  });

  test('§8.2 with a token, another limit is refused, the same or none is not', async () => {
    const token = (await find({ limit: 1 })).body.page.next_token;
    expectRefusal(await find({ token, limit: 2 }), 'page.limit');
    expect(ids(await find({ token, limit: 1 }))).toEqual(ids(await find({ token })));
  });

  test.each(noToken)('§8.2.1 a token that is %s is refused', async (_, token) => {
    expectRefusal(await find({ token } as Page), 'page.token');
  });

  test.each([
    ['negative', -1],
    ['a fraction', 1.5],
    ['a string', '2'],
    ['null', null],
    ['an array', [2]],
  ])('§8.2.1 a limit that is %s is refused', async (_, limit) => {
    expectRefusal(await find({ limit } as Page), 'page.limit');
  });

  test('§8.2.1 limit is the most that is returned, 0 included', async () => {
    for (const limit of [0, 1, 2]) expect((await find({ limit })).body.results).toHaveLength(limit);
    expect(ids(await find({ limit: 1_000_000 })).toSorted()).toEqual([...target.search.found].toSorted());
  });

  test.each(noObject)('§8.2.1 page is an object, not %s', async (_, page) => {
    expectRefusal(await find(page as Page), 'page');
  });

  test('§8.2.2 next_token is empty where nothing follows, and count is the number of results', async () => {
    const { body } = await find();
    expect(body.page).toEqual({ next_token: '', count: body.results.length });
  });

  test('§8.3 page stands first in the response', async () => {
    expect((await find()).text).toMatch(/^\s*\{\s*"page"/);
  });

  test('§8.3 results holds only entities of the type searched for', async () => {
    const { body } = await find();
    for (const resource of body.results) {
      expect(resource.type).toBe((target.search.request as AuthzenTarget['permitted']).resource.type);
      expect(resource.id).toBeTypeOf('string');
      expect(resource).not.toHaveProperty('name');
    }
  });

  test.each(['subject', 'action', 'resource', 'subject.type', 'subject.id', 'action.name', 'resource.type'])(
    '§8.5.1 %s is required',
    async (path) => {
      expectRefusal(await find(undefined, without(target.search.request, path)), path);
    },
  );

  test.each(['subject.type', 'subject.id', 'action.name', 'resource.type'])(
    '§8.5.1 a mistyped %s is refused',
    async (path) => {
      for (const [, value] of noString)
        expectRefusal(
          await find(
            undefined,
            change(target.search.request, path, () => value),
          ),
          path,
        );
    },
  );

  test.each([...objects, ...properties])('§8.5.1 %s is an object', async (path) => {
    for (const [, value] of noObject)
      expectRefusal(
        await find(
          undefined,
          change(target.search.request, path, () => value),
        ),
        path,
      );
  });

  test('§8.5.1 an id of the resource is ignored, whatever it is', async () => {
    const expected = ids(await find());
    for (const id of [target.denied.resource.id, 'x', 7, null, {}]) {
      expect(
        ids(
          await find(
            undefined,
            change(target.search.request, 'resource.id', () => id),
          ),
        ),
      ).toEqual(expected);
    }
  });

  test('§8.5.1 context is optional', async () => {
    const answer = await find(undefined, without(target.search.request, 'context'));
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.results).toBeInstanceOf(Array);
  });

  test.each([
    ['type of resource', 'resource.type', 'spaceship'],
    ['action', 'action.name', 'teleport'],
    ['subject', 'subject.id', 'nobody'],
  ])('§8.3 an unknown %s finds nothing, without an error (certification: empty results)', async (_, path, value) => {
    const answer = await find(
      undefined,
      change(target.search.request, path, () => value),
    );
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.results).toEqual([]);
  });
});

describe('§9 metadata', () => {
  const wellKnown = '/.well-known/authzen-configuration';

  test('§9.1.1 the identifier is an https URL (http only on loopback) without query and fragment', async () => {
    const { body } = await send(wellKnown, {});
    const url = new URL(body.policy_decision_point);
    expect(url.protocol === 'https:' || url.hostname === '127.0.0.1').toBe(true);
    expect(body.policy_decision_point).not.toMatch(/[?#]/);
  });

  test('§9.1.1 endpoints that are named answer there', async () => {
    const { body } = await send(wellKnown, {});
    const paths = Object.entries<string>(body)
      .filter(([name]) => name.endsWith('_endpoint'))
      .map(([name, url]) => [name, new URL(url).pathname]);
    expect(Object.fromEntries(paths)).toEqual({
      access_evaluation_endpoint: evaluation,
      access_evaluations_endpoint: evaluations,
      search_resource_endpoint: search,
    });
  });

  test.each(['subject', 'action'])('§9.1.1 %s search is not named, and so not offered', async (kind) => {
    expect((await send(wellKnown, {})).body).not.toHaveProperty(`search_${kind}_endpoint`);
    expect((await post(`/access/v1/search/${kind}`, target.search.request)).status).toBe(404);
  });

  test('§9.2.1 it is queried with GET, without a token', async () => {
    expect((await send(wellKnown, {})).status).toBe(200);
    expect([404, 405]).toContain((await post(wellKnown, {})).status);
  });

  test('§9.2.2 the response has status 200, type application/json and an object as body', async () => {
    const answer = await send(wellKnown, {});
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(Object.getPrototypeOf(answer.body)).toBe(Object.prototype);
  });

  test('§9.2.2 parameters without a value are left out', async () => {
    const { body } = await send(wellKnown, {});
    for (const [name, value] of Object.entries<string>(body)) expect(value, name).toMatch(/./);
    expect(body).not.toHaveProperty('capabilities');
  });

  test('§9.2.3 the identifier is the one from which the address of the document was made', async () => {
    expect((await send(wellKnown, {})).body.policy_decision_point).toBe(target.url);
  });

  test('§11.9 the document may be kept for a while', async () => {
    expect((await send(wellKnown, {})).headers.get('cache-control')).toMatch(/max-age=[1-9]/);
  });
});

describe.each([
  ['evaluation', evaluation, () => target.permitted],
  ['evaluations', evaluations, () => ({ ...target.permitted, evaluations: [{}] })],
  ['search/resource', search, () => target.search.request],
])('§10 transport of %s', (_, path, request) => {
  test.each(['GET', 'PUT', 'DELETE'])('§10.1 requests are made by POST, not %s', async (method) => {
    const answer = await send(path, { method, headers: { authorization: bearer } });
    expect([404, 405]).toContain(answer.status);
  });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON'])(
    '§10.1 %s is accepted',
    async (type) => {
      expect((await post(path, request(), { 'content-type': type })).status).toBe(200);
    },
  );

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', undefined])(
    '§10.1 a content type %s is refused with 400',
    async (type) => {
      expectRefusal(await post(path, request(), { 'content-type': type }), 'application/json');
    },
  );

  test.each(noBody)('§10.1 a body that is %s is refused', async (__, body) => {
    expectRefusal(await post(path, body), 'body');
  });

  test('§10.1 success has status 200, type application/json and an object as body', async () => {
    const answer = await post(path, request());
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(Object.getPrototypeOf(answer.body)).toBe(Object.prototype);
  });

  test('§10.1.1 unknown fields are ignored, on top and in the entities', async () => {
    const { subject, action, resource, ...rest } = request() as AuthzenTarget['permitted'];
    const unknown = { foo: 'bar', futureField: { nested: true } };
    const answer = await post(path, {
      ...unknown,
      ...rest,
      subject: { ...unknown, ...subject },
      action: { ...unknown, ...action },
      resource: { ...unknown, ...resource },
    });
    const expected = await post(path, request());
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.decision).toBe(expected.body.decision);
    expect(answer.body.evaluations?.[0].decision).toBe(expected.body.evaluations?.[0].decision);
    expect(answer.body.results).toEqual(expected.body.results);
  });

  test('§10.1.1 the order of members means nothing', async () => {
    const reversed = (value: any): any =>
      typeof value !== 'object' || value === null || Array.isArray(value)
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, inner]) => [key, reversed(inner)]),
          );
    const answer = await post(path, reversed(request()));
    expect(answer.status).toBe(200);
    expect(answer.body.decision ?? answer.body.evaluations?.[0].decision ?? answer.body.results.length > 0).toBe(true);
  });

  test('§10.1.2 without a token, or with a wrong one, the answer is 401', async () => {
    for (const authorization of [undefined, 'Bearer mF_9.B5f-4.1JqM', `${bearer}x`, 'Basic YTpi']) {
      expectRefusal(await post(path, request(), { authorization }), '', 401);
    }
  });

  test('§11.3 a 401 names the scheme in WWW-Authenticate', async () => {
    const answer = await post(path, request(), { authorization: undefined });
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer\b/);
  });

  test('§10.1.2 with a token that lacks the scope the answer is 403', async () => {
    expectRefusal(
      await post(path, request(), { authorization: await target.authorization(['consents:read']) }),
      '',
      403,
    );
  });

  test('§10.1.2 who may not ask learns nothing about the body', async () => {
    const anonymous = await post(path, '{', { authorization: undefined });
    expect(anonymous.status).toBe(401);
  });

  test('§10.1.3 the request identifier comes back, whatever the answer', async () => {
    const id = 'bfe9eb29-ab87 any=string; "quoted", 42';
    const answers = [
      await post(path, request(), { 'x-request-id': id }),
      await post(path, '{', { 'x-request-id': id }),
      await post(path, request(), { 'x-request-id': id, authorization: undefined }),
      await post(path, request(), { 'x-request-id': id, authorization: await target.authorization(['consents:read']) }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 401, 403]);
    expect(answers.map(({ headers }) => headers.get('x-request-id'))).toEqual([id, id, id, id]);
  });

  test.each(['\\ud800', '\\u0000'])('§11.5 text that is no text is refused: %s', async (escape) => {
    const text = JSON.stringify(request()).replace('"name":"', `"name":"${escape}`);
    expectRefusal(await post(path, text), 'surrogate');
  });

  test('§11.5 an answer has no member of the value null', async () => {
    for (const body of [request(), { ...request(), resource: target.denied.resource }]) {
      expect((await post(path, body)).text).not.toMatch(/:\s*null/);
    }
  });

  test('§11.7 nesting to exhaustion is refused', async () => {
    const text = JSON.stringify(change(request(), 'context.deep', () => 'DEEP'));
    expectRefusal(await post(path, text.replace('"DEEP"', '['.repeat(50_000) + ']'.repeat(50_000))), 'nested');
  });

  test('§11.7 a body without measure is refused', async () => {
    const answer = await post(path, { ...request(), padding: 'x'.repeat(8 * 1_048_576) });
    expect([400, 413]).toContain(answer.status);
  });
});
