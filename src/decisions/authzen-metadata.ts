import type { AuthzenConfiguration } from './schema.ts';

/** The paths of AuthZEN §10.1, under the base URL of the service. */
export const authzenPaths = {
  evaluation: '/access/v1/evaluation',
  evaluations: '/access/v1/evaluations',
  searchResource: '/access/v1/search/resource',
  configuration: '/.well-known/authzen-configuration',
} as const;

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The document `/.well-known/authzen-configuration` (AuthZEN §9.1.1). Subject and action search are left out because they
 * are not offered: naming a person's systems or actions to whoever asks would be a disclosure of its own.
 *
 * @param baseUrl where callers reach this service, `https://askfirst.example.org`; it is the identifier that they compare
 *   (§9.2.3), so it is given back as it is but for a slash at the end. Plain http only on this machine, for trying out.
 * @throws TypeError for a base URL that may not be an identifier: a fault of the configuration, found at start
 */
export const authzenConfiguration = (baseUrl: string): AuthzenConfiguration => {
  const url = new URL(baseUrl);
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
  if (!secure || /[?#]/.test(baseUrl)) {
    throw new TypeError('the base URL must be https (http only on loopback), without query or fragment');
  }
  const base = baseUrl.replace(/\/+$/, '');
  return {
    policy_decision_point: base,
    access_evaluation_endpoint: base + authzenPaths.evaluation,
    access_evaluations_endpoint: base + authzenPaths.evaluations,
    search_resource_endpoint: base + authzenPaths.searchResource,
  };
};
