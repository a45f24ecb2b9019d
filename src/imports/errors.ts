import { AppError } from '../kernel/errors.ts';

/** The file cannot be read as what it was said to be; nothing was done. */
export class FileWrong extends AppError {
  constructor(message: string) {
    super('imports.file-wrong', 'invalid', message);
  }
}

export class MappingWrong extends AppError {
  constructor(message: string) {
    super('imports.mapping-wrong', 'invalid', message);
  }
}

/** Two imports at once would read what the other is about to write. */
export class ImportRunning extends AppError {
  constructor() {
    super(
      'imports.running',
      'conflict',
      'another import is running, or one was killed less than a minute ago: try again then; it goes on where it stopped',
    );
  }
}

/** Somebody else took the lease meanwhile, or the policies changed: what was done so far stands, and the same command goes on from there. */
export class ImportInterrupted extends AppError {
  constructor(why: string) {
    super('imports.interrupted', 'unavailable', `${why}: the same command goes on where this one stopped`);
  }
}
