/**
 * Two nodes of the simulated world with one connection of the Wazuh protocol between them: a real
 * `Connection` at each end, or a raw end that can say anything.
 */
import type { Stream } from '../../src/ports.ts';
import { createSymmetricCrypto } from '../../src/runtime/symmetric-crypto.ts';
import { type Answer, Connection } from '../../src/wazuh/connection.ts';
import { fernetKeys, openToken, sealToken } from '../../src/wazuh/fernet.ts';
import { encodeMessage, FrameDecoder } from '../../src/wazuh/frame.ts';
import type { LinkProfile } from '../sim/link.ts';
import { SessionPair, type Side } from '../session/session-pair.ts';
import { dumpKey, dumpStamp } from './dumps.ts';

export const primitives = createSymmetricCrypto();
export const keys = fernetKeys(dumpKey);

/** Two nodes and what is between them. */
export class ConnectionPair {
  readonly #pair: SessionPair;

  private constructor(pair: SessionPair) {
    this.#pair = pair;
  }

  static async connect(link?: Partial<LinkProfile>): Promise<ConnectionPair> {
    return new ConnectionPair(await SessionPair.connect(link === undefined ? {} : { link }));
  }

  get world() {
    return this.#pair.world;
  }

  ports(side: Side) {
    return this.#pair.ports(side);
  }

  /** A connection of one end, open unless told otherwise. */
  connection(
    side: Side,
    answers: Iterable<readonly [string, Answer]> = [],
    { isOpen = true, key = dumpKey } = {},
  ): Connection {
    const { clock, log, random } = this.ports(side);
    const connection = new Connection({
      stream: this.#pair.streams[side],
      clock,
      log,
      random,
      primitives,
      keys: fernetKeys(key),
      peerRole: side === 'worker' ? 'master' : 'worker',
      answers: new Map(answers),
    });
    if (isOpen) connection.open();
    return connection;
  }

  /** What one end writes to. */
  stream(side: Side) {
    return this.#pair.streams[side];
  }

  raw(side: Side): RawNode {
    return new RawNode(this.#pair.streams[side]);
  }

  logged(side: Side): string[] {
    return this.#pair.logged(side);
  }

  /** Fails unless every connection has let go of its stream and no sleep is pending. */
  finish(): Promise<void> {
    return this.#pair.finish();
  }
}

/** An end that says what it is told to. */
export class RawNode {
  readonly stream: Stream;
  /** What came, as `counter command payload`. */
  readonly heard: string[] = [];
  /** True when the other end has ended. */
  hasEnded = false;

  constructor(stream: Stream) {
    this.stream = stream;
    void this.#read();
  }

  say(counter: number, command: string, payload: string | Uint8Array = ''): void {
    const content = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    const body = sealToken(primitives, keys, content, dumpStamp);
    this.send(...encodeMessage({ counter, command, body }));
  }

  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.stream.write(frame).catch(() => {});
  }

  async #read(): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      for await (const chunk of this.stream.readable) {
        for (const { counter, command, body } of decoder.push(chunk)) {
          const text = new TextDecoder().decode(openToken(primitives, keys, body).content);
          this.heard.push(`${counter} ${command} ${text}`);
        }
      }
    } catch {
      // How it ended is told by the other end.
    }
    this.hasEnded = true;
    this.stream.close();
  }
}
