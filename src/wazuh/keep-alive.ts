/**
 * Keep-alive of the Wazuh protocol: a worker asks its master at intervals; a master hears only that,
 * and takes no other traffic for a sign of life.
 */
import { toBytes } from '../base/bytes.ts';
import { ClusterError, codeOf } from '../base/errors.ts';
import type { Clock } from '../ports.ts';
import type { Connection } from './connection.ts';

/** When a worker asks, and when it gives up. */
export interface KeepAliveOptions {
  readonly clock: Clock;
  /** @default 60,000 ms */
  readonly intervalMs?: number;
  /** Failures in a row after which the connection is ended. @default 2 */
  readonly failuresMax?: number;
  /** Called with each good answer. */
  readonly onAnswer?: () => void;
}

const payload = toBytes('keepalive');

/** Asks until the connection ends; ends it where the master does not answer. Never rejects. */
export async function keepAlive(connection: Connection, options: KeepAliveOptions): Promise<void> {
  const { clock, intervalMs = 60_000, failuresMax = 2, onAnswer } = options;
  let failuresCount = 0;
  try {
    while (failuresCount < failuresMax) {
      await clock.sleep(intervalMs, connection.signal);
      try {
        await connection.request('echo-c', payload);
        failuresCount = 0;
        onAnswer?.();
      } catch (error) {
        if (connection.signal.aborted || codeOf(error) !== 'timeout') throw error;
        failuresCount++;
      }
    }
    connection.abort(new ClusterError('timeout', `${connection.remote} answers no keep-alive`));
  } catch (error) {
    if (connection.signal.aborted) return;
    connection.close(
      error instanceof Error ? error : new ClusterError('failed', 'The keep-alive failed'),
    );
  }
}
