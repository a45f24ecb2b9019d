import { z } from 'zod';
import { personal } from '../kernel/personal.ts';
import { staffRoles } from './roles.ts';

export const signInQuerySchema = z.object({
  to: z
    .string()
    .max(1_000)
    // One slash only: `//host` and `/\host` are addresses elsewhere to a browser.
    .regex(/^\/([\x21-\x2e\x30-\x5b\x5d-\x7e][\x21-\x7e]*)?$/, 'must be a path of this service')
    .default('/staff/me')
    .meta({ description: 'Path of this service to go on to', examples: ['/staff/me'] }),
});

export const staffSchema = z
  .object({
    person: personal(z.string()).meta({
      description: 'What the identity provider calls this colleague (`sub`)',
      'x-personal-data': true,
    }),
    roles: z.array(z.enum(staffRoles)),
    endsAt: z.iso.datetime().meta({ description: 'When the session is over' }),
  })
  .meta({
    id: 'Staff',
    examples: [{ person: '248289761001', roles: ['caseworker'], endsAt: '2026-06-01T17:30:00Z' }],
  });
