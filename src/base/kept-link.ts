/** A link to the master that is made again whenever it is lost, at one of the master's addresses. */
import { Latest, type Sleeper, withDeadline } from './async.ts';
import { ClusterError } from './errors.ts';
import { retryPauseMs } from './retry-pause.ts';

/** A link that lasted this long shows that the way is good: pauses start small again. */
const lastingMs = 10_000;

/** What keeping a link takes. */
export interface KeptLinkPorts {
  readonly clock: Sleeper & { monotonicMs(): number };
  readonly random: { float(): number };
}

/** How a link is made. */
export interface KeptLinkOptions {
  /** Addresses of the master, `host:port`; tried in turn. */
  readonly addresses: readonly string[];
  /** Shortest and longest pause between attempts, ms. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
  /** Time for connecting, and for the hello, ms. */
  readonly connectTimeoutMs: number;
}

/** What those who keep a link have in common, whatever the link is. */
export abstract class KeptLink<Link> {
  /** The link to the master, undefined while there is none. */
  readonly link = new Latest<Link | undefined>(undefined);
  readonly #ports: KeptLinkPorts;
  readonly #options: KeptLinkOptions;
  /** The configuration key of the addresses. */
  readonly #addressesKey: string;
  #lastError: Error | undefined;
  #connectionsCount = 0;
  #next = 0;
  #attempt = 0;
  #connectedMs: number | undefined;

  protected constructor(ports: KeptLinkPorts, options: KeptLinkOptions, addressesKey: string) {
    this.#ports = ports;
    this.#options = options;
    this.#addressesKey = addressesKey;
  }

  /** Why there is no link; undefined while there is one. */
  get lastError(): Error | undefined {
    return this.link.value === undefined ? this.#lastError : undefined;
  }

  /** Links that there were. */
  get connectionsCount(): number {
    return this.#connectionsCount;
  }

  /** Connects once, and says hello. The link is published before this resolves. */
  abstract connect(signal: AbortSignal): Promise<Link>;

  /** Does work over the link that there is, or over one that is made for it and closed after it. */
  async during<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.link.value !== undefined) return await work();
    const link = await this.connect(signal);
    try {
      return await work();
    } finally {
      this.release(link);
      this.link.publish(undefined);
    }
  }

  /** Closes a link whose work is done. */
  protected abstract release(link: Link): void;

  /** The master has answered the hello. */
  protected connected(link: Link): void {
    this.#connectedMs = this.#ports.clock.monotonicMs();
    this.#connectionsCount += 1;
    this.link.publish(link);
  }

  /** The link is lost, or could not be made. */
  protected disconnected(error: Error): void {
    this.#lastError = error;
    if (this.link.value !== undefined) this.link.publish(undefined);
  }

  /** Waits before the next attempt, each time longer; ends early with the signal. */
  protected async pause(isLongest: boolean, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    const { pauseMinMs, pauseMaxMs } = this.#options;
    const lastedMs = clock.monotonicMs() - (this.#connectedMs ?? Infinity);
    this.#connectedMs = undefined;
    this.#attempt = lastedMs > lastingMs ? 1 : this.#attempt + 1;
    const ms = isLongest
      ? pauseMaxMs
      : retryPauseMs(this.#attempt, pauseMinMs, pauseMaxMs, random.float());
    await clock.sleep(ms, signal).catch(() => {});
  }

  /**
   * Opens a stream to an address within the time for that.
   * @throws ClusterError `timeout`, and what `open` throws
   */
  protected async openWithin<S extends { abort(): void }>(
    address: string,
    signal: AbortSignal,
    open: (signal: AbortSignal) => Promise<S>,
  ): Promise<S> {
    const { connectTimeoutMs } = this.#options;
    const what = `Connecting to the master at ${address}`;
    let opened: S | undefined;
    try {
      return await withDeadline(
        this.#ports.clock,
        connectTimeoutMs,
        what,
        signal,
        async (inner) => {
          opened = await open(inner);
          // Too late: nobody waits for it any more.
          if (inner.aborted) opened.abort();
          return opened;
        },
      );
    } catch (error) {
      opened?.abort();
      throw error;
    }
  }

  /** The address to try next. */
  protected nextAddress(): string {
    const { addresses } = this.#options;
    const address = addresses[this.#next % addresses.length];
    if (address === undefined) {
      throw new ClusterError('configuration', 'No address of the master is configured', {
        remedy: `Set ${this.#addressesKey} to HOST:PORT`,
      });
    }
    this.#next += 1;
    return address;
  }
}
