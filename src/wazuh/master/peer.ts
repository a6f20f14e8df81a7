/**
 * A worker of the Wazuh protocol as its master knows it.
 */
import type { Clock, Logger } from '../../ports.ts';
import type { Connection } from '../connection.ts';
import type { Hello } from '../layouts.ts';
import type { FileCounts } from '../log-phrases.ts';
import { hostAndPort } from './host-text.ts';
import type { PeerTelling } from './telling.ts';

/**
 * When something that went well began and ended last, ms since 1970; undefined before the first
 * time.
 */
export interface Span {
  startedMs: number | undefined;
  endedMs: number | undefined;
}

/** What `get_health` tells of a worker. */
export interface PeerHealth {
  isIntegrityFree: boolean;
  readonly check: Span;
  readonly sync: Span & { counts: FileCounts | undefined };
  isAgentInfoFree: boolean;
  readonly agentInfo: Span & { chunksCount: number };
  readonly groups: Span & { chunksCount: number };
  readonly groupsFull: Span & { chunksCount: number };
  /** The last keep-alive, at first the moment of connection; ms since 1970. */
  keepAliveMs: number;
}

/** A worker that was let in. */
export class Peer {
  readonly hello: Hello;
  readonly connection: Connection;
  readonly tell: PeerTelling;
  /** Wall clock, ms since 1970. */
  readonly connectedMs: number;
  readonly health: PeerHealth;
  /** The generation that the worker's last table was equal to. */
  inStepWith: number | undefined;
  /**
   * The latest generation of which the worker had every directory: where files change all the time
   * it is never in step, and has what groups need all the same.
   */
  hasDirectoriesOf: number | undefined;
  /** Whether the last table was equal to what was published; undefined before the first. */
  isInStep: boolean | undefined;
  /** The last keep-alive by the monotonic clock. */
  heardMs: number;

  constructor(hello: Hello, connection: Connection, tell: PeerTelling, clock: Clock) {
    this.hello = hello;
    this.connection = connection;
    this.tell = tell;
    this.connectedMs = clock.nowMs();
    this.heardMs = clock.monotonicMs();
    const never = (): Span => ({ startedMs: undefined, endedMs: undefined });
    this.health = {
      isIntegrityFree: true,
      check: never(),
      sync: { ...never(), counts: undefined },
      isAgentInfoFree: true,
      agentInfo: { ...never(), chunksCount: 0 },
      groups: { ...never(), chunksCount: 0 },
      groupsFull: { ...never(), chunksCount: 0 },
      keepAliveMs: this.connectedMs,
    };
  }

  /** It has told that it is there. */
  keptAlive(clock: Clock): void {
    this.health.keepAliveMs = clock.nowMs();
    this.heardMs = clock.monotonicMs();
  }

  /** With the worker's tag. */
  get log(): Logger {
    return this.tell.log;
  }

  get node(): string {
    return this.hello.node;
  }

  /** Where it connects from, without the port. */
  get host(): string {
    return hostAndPort(this.connection.remote)[0];
  }
}
