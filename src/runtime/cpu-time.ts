/** Processor time of this process. */
import process from 'node:process';

/** What it has used since its start, with what the system did for it, ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
