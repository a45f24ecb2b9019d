/** The command line was not understood: one sentence, then how it is meant (exit code 2). */
export class UsageError extends Error {}
