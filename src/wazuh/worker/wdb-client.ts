/**
 * Asking the database of a Wazuh installation over its text socket: one request at a time, over a
 * connection that is made when it is needed and made anew after any failure.
 */
import { Mutex, withDeadline } from '../../base/async.ts';
import type { ByteString } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Clock, Stream } from '../../ports.ts';
import { encodeWdbRequest, readWdbAnswer, type WdbAnswer, WdbDecoder } from '../wdb.ts';

/** What asking needs. */
export interface WdbPorts {
  readonly clock: Clock;
  /** Connects to the socket. @throws ClusterError `unreachable` */
  readonly connect: (signal: AbortSignal) => Promise<Stream>;
}

/** How long an answer may take, ms; what real nodes give their database for groups. */
const answerMs = 40_000;

/** A connection with the database. */
export class WdbClient {
  readonly #ports: WdbPorts;
  readonly #turns = new Mutex();
  #stream: Stream | undefined;
  #answers: AsyncGenerator<ByteString, void, undefined> | undefined;

  constructor(ports: WdbPorts) {
    this.#ports = ports;
  }

  /**
   * The answer to a request.
   * @throws ClusterError `failed` with what the database says, `unreachable`, `timeout`
   */
  ask(request: string): Promise<WdbAnswer> {
    const { clock } = this.#ports;
    return this.#turns.run(() =>
      withDeadline(clock, answerMs, 'The answer of the database', undefined, async (signal) => {
        signal.addEventListener('abort', () => this.close(), { once: true });
        return readWdbAnswer(await this.#exchange(encodeWdbRequest(request), signal));
      })
    );
  }

  /** Ends the connection; the next request makes another one. */
  close(): void {
    this.#stream?.abort();
    this.#stream = undefined;
    this.#answers = undefined;
  }

  async #exchange(request: Uint8Array, signal: AbortSignal): Promise<ByteString> {
    try {
      const stream = this.#stream ?? await this.#ports.connect(signal);
      this.#stream = stream;
      this.#answers ??= answersIn(stream);
      await stream.write(request);
      const next = await this.#answers.next();
      if (next.done !== true) return next.value;
      throw new ClusterError('unreachable', 'The database closed the connection');
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

// ---

async function* answersIn(stream: Stream): AsyncGenerator<ByteString, void, undefined> {
  const decoder = new WdbDecoder();
  for await (const chunk of stream.readable) yield* decoder.push(chunk);
}
