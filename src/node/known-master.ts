/** The master of a Wazuh cluster by its own words, as far as it has said any. */
import { toBytes } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { isoTime } from '../base/time-text.ts';
import type { Logger } from '../ports.ts';
import type { Connection } from '../wazuh/connection.ts';
import type { WazuhLink } from '../wazuh/worker/dialer.ts';
import { masterIn } from '../wazuh/worker/node-list.ts';
import type { StatusDocument } from './documents.ts';

/** What is known of the master that a worker is connected to. */
export class KnownMaster {
  readonly #log: Logger;
  #said: { readonly name: string; readonly version: string } | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Its name, for people. */
  get name(): string {
    return this.#said?.name ?? 'the master';
  }

  /** Asks it who it is. What does not answer is a master all the same. */
  async meet(connection: Connection): Promise<void> {
    this.#said = undefined;
    try {
      const question = toBytes(JSON.stringify({ filter_type: 'master' }));
      this.#said = masterIn(await connection.request('get_nodes', question));
    } catch (error) {
      this.#log.log('debug', `The master does not say who it is: ${describeError(error)}`);
    }
  }

  /** For the status of a worker, which expects this version. */
  document(link: WazuhLink | undefined, version: string): StatusDocument['master'] {
    if (link === undefined) return null;
    return {
      node: this.#said?.name ?? 'unknown',
      address: link.connection.remote,
      version: this.#said?.version ?? version,
      connected_since: isoTime(link.connectedMs),
      round_trip_ms: null,
      clock_skew_ms: null,
    };
  }
}
