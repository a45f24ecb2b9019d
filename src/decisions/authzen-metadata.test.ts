import { expect, test } from 'vitest';
import { authzenConfiguration } from './authzen-metadata.ts';
import { authzenConfigurationSchema } from './schema.ts';

test('the document names the base URL as given and the endpoints under it', () => {
  const document = authzenConfiguration('https://pdp.example.org/tenant1/');
  expect(authzenConfigurationSchema.parse(document)).toEqual({
    policy_decision_point: 'https://pdp.example.org/tenant1',
    access_evaluation_endpoint: 'https://pdp.example.org/tenant1/access/v1/evaluation',
    access_evaluations_endpoint: 'https://pdp.example.org/tenant1/access/v1/evaluations',
    search_resource_endpoint: 'https://pdp.example.org/tenant1/access/v1/search/resource',
  });
});

test.each(['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080'])(
  '%s serves for trying out',
  (base) => {
    expect(authzenConfiguration(base).policy_decision_point).toBe(base);
  },
);

test.each(['http://pdp.example.org', 'ftp://pdp.example.org', 'https://a.example/?b', 'https://a.example/#', 'pdp'])(
  '%s is no identifier of a policy decision point',
  (base) => {
    expect(() => authzenConfiguration(base)).toThrow(TypeError);
  },
);
