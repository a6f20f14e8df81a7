/**
 * The command line is wrong: exit code 2.
 */

/** What is wrong with the command line, and what would be right. */
export class UsageError extends Error {
  /** What the user can do about it. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.name = 'UsageError';
    this.remedy = remedy;
  }
}
