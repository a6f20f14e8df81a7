/** The worker's words of an integrity check: may I, here is my table, I could not. */
import { abortReason } from '../../base/async.ts';
import { type ByteString, fromBytes, toHex } from '../../base/bytes.ts';
import { codeOf, describeError } from '../../base/errors.ts';
import type { Clock, Hashing, Random } from '../../ports.ts';
import type { Connection } from '../connection.ts';
import { clusterFailure, internalFailure, WazuhFailure } from '../failure.ts';
import { sendFile } from '../file-transfer.ts';

/** Pause before a master that granted nothing is asked again, ms: its cycle is 8 s. */
const patiencePauseMs = 1_000;

/** What asking needs. */
export interface CheckPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
}

/** Asks for checks. */
export class CheckRequest {
  readonly #ports: CheckPorts;
  readonly #node: string;

  constructor(ports: CheckPorts, node: string) {
    this.#ports = ports;
    this.#node = node;
  }

  /** Whether the master lets this worker check now; a patient one asks until it does. */
  async isGranted(
    connection: Connection,
    isPatient: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (;;) {
      if (await connection.request('syn_i_w_m_p', undefined, { signal })) return true;
      if (!isPatient) return false;
      await this.#ports.clock.sleep(patiencePauseMs, signal);
      if (signal.aborted) throw abortReason(signal);
    }
  }

  /** Sends the table of this node's files. */
  async send(connection: Connection, archive: Uint8Array, signal: AbortSignal): Promise<void> {
    const { hashing } = this.#ports;
    const task = await connection.request('syn_i_w_m', undefined, { signal });
    const path = this.#freshPath();
    await sendFile(connection, `/${path}`, whole(archive), { hashing, signal });
    await connection.request('syn_i_w_m_e', { task, path }, { signal });
  }

  /**
   * Tells the master that the check came to nothing, so that it does not wait. Where that cannot be
   * told the connection is lost, and says so itself.
   */
  giveUp(connection: Connection, error: unknown): void {
    if (connection.signal.aborted) return;
    const { failure } = error instanceof WazuhFailure
      ? error
      : internalFailure(describeError(error));
    connection.request('syn_i_w_m_r', { task: undefined, failure }).catch(() => {});
  }

  /**
   * Tells the master that nobody waits any more for the archive of a task: it stops sending then, and
   * real masters send smaller ones to who had not the time.
   */
  cancel(connection: Connection, task: ByteString, error: unknown): void {
    if (connection.signal.aborted) return;
    const { failure } = codeOf(error) === 'timeout'
      ? clusterFailure(3039)
      : clusterFailure(3040, describeError(error));
    connection.request('cancel_task', { task, failure }).catch(() => {});
  }

  /** A name that no other archive has, as real nodes make it. */
  #freshPath(): string {
    const { clock, random } = this.#ports;
    const seconds = (clock.nowMs() / 1000).toFixed(6);
    const chance = toHex(fromBytes(random.bytes(16)));
    return `queue/cluster/${this.#node}/${this.#node}-${seconds}-${chance}.zip`;
  }
}

// ---

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
