/**
 * Turns what the operating system says about a file into the errors of the port `Files`.
 *
 * Every error of the disk passes here once: the code decides what is done about it, the message
 * names the path as people write it and the system's reason, never an internal path.
 */
import { type BytePath, displayPath, displayText } from '../base/bytes.ts';
import { ClusterError, type ErrorCode } from '../base/errors.ts';

/**
 * A path that cannot be walked inside the root: it leads through a symbolic link or something else
 * that is no directory, or has a component that no path may have.
 */
export class BlockedPathError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'BlockedPathError';
  }
}

/** Whoever reads takes what it may not follow for absent; whoever writes must be told. */
export type FileSide = 'reader' | 'writer';

/** What the system calls the failure, e.g. `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Why it failed, for people: `no such file or directory`. */
export function failureReason(error: unknown): string {
  if (!(error instanceof Error)) return displayText(String(error));
  // "ENOENT: no such file or directory, open '/proc/...'": only the middle says anything. Or, where
  // it comes from another part of the runtime: "No space left on device (os error 28)".
  const match = /^E[A-Z0-9]+: ([^,]+)/.exec(error.message);
  return displayText(match?.[1] ?? error.message.replace(/ \(os error \d+\)$/, ''));
}

/** Whether the error says that nothing is there: a name too long for the disk is nowhere. */
export function saysAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENAMETOOLONG';
}

/** The error `Cannot <action> "<path>": <reason>`; the path '' is the root. */
export function fileError(
  action: string,
  path: BytePath,
  error: unknown,
  side: FileSide,
): ClusterError {
  if (error instanceof ClusterError) return error;
  const shown = path === '' ? 'the root' : `"${displayPath(path)}"`;
  const message = `Cannot ${action} ${shown}: ${failureReason(error)}`;
  return new ClusterError(errorCode(error, side), message, { source: error });
}

function errorCode(error: unknown, side: FileSide): ErrorCode {
  if (error instanceof BlockedPathError) return side === 'reader' ? 'notFound' : 'refused';
  switch (systemCode(error)) {
    case 'ENOENT':
      return 'notFound';
    case 'ENAMETOOLONG':
      return side === 'reader' ? 'notFound' : 'io';
    case 'ENOTDIR':
    case 'ELOOP':
      return side === 'reader' ? 'notFound' : 'refused';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'noSpace';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'permission';
    default:
      return 'io';
  }
}
