import type { z } from 'zod';

/**
 * Marks a schema as holding personal data. The mark travels into OpenAPI as `x-personal-data`, drives the redaction of
 * logs, and must be answered by a `SubjectDataSource`: taking it away is the change a reviewer looks for.
 */
export const personal = <S extends z.ZodType>(schema: S): S =>
  schema.meta({ ...schema.meta(), 'x-personal-data': true }) as S;
