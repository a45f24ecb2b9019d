import { z } from 'zod';
import { methods, type ImportedStatement } from '../../consent/index.ts';
import { languages } from '../../policies/index.ts';
import { decisions } from './format.ts';

/**
 * Our own format: one JSON object a line, one answer each. Strict, since a misspelt member might be the one that says no.
 * `{"identifiers": ["crm:4711", "email:eva@example.org"], "purpose": "newsletter", "scope": {"channel": "email"}, "decision": "given",
 * "occurredAt": "2026-03-01T10:00:00Z", "method": "paper", "evidence": "Form 12, signed", "notice": {"version": 1, "language": "de"}}`
 */
export const ndjsonSchema = z.strictObject({
  identifiers: z.array(z.string()).min(1).max(20),
  purpose: z.string(),
  scope: z
    .strictObject({
      platform: z.string().optional(),
      channel: z.string().optional(),
      topic: z.string().optional(),
      form: z.string().optional(),
      recipient: z.string().optional(),
    })
    .optional(),
  decision: z.enum(decisions),
  occurredAt: z.iso.datetime({ offset: true }).optional(),
  /** How the person said it: part of the evidence, as for us every answer of an import is somebody else's record. */
  method: z.enum(methods).optional(),
  evidence: z.string().min(1).max(2000).optional(),
  notice: z
    .strictObject({
      version: z.int().min(1),
      language: z.enum(languages),
      hash: z
        .string()
        .regex(/^[0-9a-f]{64}$/i)
        .optional(),
    })
    .optional(),
});

/** What a line says; a sentence that names members and rules, never values, where it is not of the format. */
export const readNdjsonLine = (text: string): { identifiers: string[]; statements: ImportedStatement[] } | string => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is no JSON';
  }
  const read = ndjsonSchema.safeParse(value);
  if (!read.success) {
    const members = read.error.issues.map((issue) => issue.path.join('.') || issue.code.replaceAll('_', ' '));
    return `is not of the format: ${[...new Set(members)].join(', ')}`;
  }
  const { identifiers, scope = {}, method, evidence, ...rest } = read.data;
  const how = method === undefined || evidence === undefined ? evidence : `${method}: ${evidence}`;
  return { identifiers, statements: [{ ...rest, scope: scope as ImportedStatement['scope'], evidence: how }] };
};
