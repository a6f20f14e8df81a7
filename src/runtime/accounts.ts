/** Users and groups of this machine; by itself, since every command reads a configuration. */
import { readFileSync } from 'node:fs';

/** Whether the system knows a user or group of this name. */
export function accountExists(kind: 'user' | 'group', name: string): boolean {
  const lines = linesOf(kind === 'user' ? '/etc/passwd' : '/etc/group');
  return lines.some((line) => line.startsWith(`${name}:`));
}

// ---

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
