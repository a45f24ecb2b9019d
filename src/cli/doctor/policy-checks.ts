import { loadCatalogue } from '../../policies/index.ts';
import { fail, ok, warn, type Check } from './finding.ts';

const active: Check = {
  name: 'policies',
  run: async ({ policySets, settings }) => {
    const catalogue = await policySets.current().catch(() => undefined);
    if (!catalogue)
      return fail(
        'no policy set is active that this version understands: every check is answered with 503',
        'run "askfirst policies check", then "askfirst policies activate"',
      );
    const folder = await loadCatalogue(settings.policiesFolder).catch(() => undefined);
    if (!folder)
      return warn(
        `a set is active, but the folder ${settings.policiesFolder} does not load`,
        'run "askfirst policies check"',
      );
    return folder.digest === catalogue.digest
      ? ok(`set ${catalogue.digest.slice(0, 12)} is active, as in the folder`)
      : warn(
          `the active set ${catalogue.digest.slice(0, 12)} is not that of the folder`,
          'run "askfirst policies diff", then "askfirst policies activate", or put the folder right',
        );
  },
};

const assessments: Check = {
  name: 'assessments',
  run: async ({ policySets, clock }) => {
    const today = clock.now().toString().slice(0, 10);
    const { purposes } = await policySets.current();
    const overdue = [...purposes.values()].filter(({ assessment }) => assessment && assessment.reviewBy < today);
    return overdue.length > 0
      ? warn(
          `the review is overdue of ${overdue.map(({ id }) => id).join(', ')}`,
          'review the assessment (GDPR Art. 35(11)), and set reviewBy anew',
        )
      : ok('no review of an assessment is overdue');
  },
};

const controller: Check = {
  name: 'controller',
  run: async ({ policySets }) => {
    const { controller: who, jurisdictions } = await policySets.current();
    if (who.id === 'example-association')
      return warn(
        'the controller is still the example’s: people would be told of somebody who does not exist',
        'run "askfirst init"',
      );
    return jurisdictions.has(who.jurisdiction)
      ? ok(`${who.id}, under the law of ${who.jurisdiction}`)
      : fail(`nothing is known of the jurisdiction ${who.jurisdiction}`, 'add it to policies/jurisdictions');
  },
};

export const policyChecks: readonly Check[] = [active, assessments, controller];
