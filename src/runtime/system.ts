/**
 * The process and the machine it runs on, as the command line and the composition see them: one
 * place to import from, nothing of its own but the plain facts.
 */
import { hostname } from 'node:os';
import process from 'node:process';

export { CRASH_EXIT_CODE, endProcess, onCrash, onSignal, onStopSignal } from './endings.ts';
export type { ReceivedSignal } from './endings.ts';
export {
  fileExists,
  makeDirectory,
  readTextFile,
  removeFile,
  writeSecretFile,
} from './own-files.ts';
export { isColorWanted, standardError, standardInput, standardOutput } from './standard-streams.ts';
export type { StandardStream } from './standard-streams.ts';

/** Facts about the running process. */
export interface SystemFacts {
  /** The arguments after the name of the program. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The name of this machine. */
  readonly hostname: string;
  /** Absolute path. */
  readonly workingDirectory: string;
  readonly pid: number;
}

/** What is known of the process and its machine. */
export function systemFacts(): SystemFacts {
  return {
    argv: process.argv.slice(2),
    // A copy: deno's own asks the system at every access.
    environment: { ...process.env },
    hostname: hostname(),
    workingDirectory: process.cwd(),
    pid: process.pid,
  };
}
