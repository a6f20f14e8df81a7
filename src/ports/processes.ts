/** Commands of the operator's. */

/** Runs commands of the operator's (hooks). */
export interface Processes {
  run(
    command: readonly string[],
    options: {
      readonly environment: Readonly<Record<string, string>>;
      /** What the command reads on standard input. @default nothing */
      readonly input?: string;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
}
