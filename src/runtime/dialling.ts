/**
 * Dialling: the addresses of a name one after the other, each for its share of the time, until one
 * leads to a peer that the caller accepts. What goes over the connection does not matter here.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { abortReason, throwIfAborted, untilAborted } from '../base/async.ts';
import { type Address, parseAddress } from '../base/address.ts';
import { ClusterError } from '../base/errors.ts';
import type { Clock, Stream } from '../ports.ts';
import { connectError } from './net-errors.ts';

/** The IP addresses of a host name, best first. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** How to dial. */
export interface DialOptions {
  /** Time for all addresses of a name together, ms. */
  readonly connectMs: number;
  /** @default what the system finds */
  readonly lookUp?: LookUp | undefined;
  readonly signal: AbortSignal;
}

/** One address, and how long to wait for it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/**
 * Opens a stream to one of the addresses that a name has now.
 * @param text `host:port`, as the user wrote it
 * @param open by throwing it says that this address will not do
 * @throws ClusterError of the address that tells most
 */
export async function dialInTurn(
  text: string,
  { connectMs, lookUp = systemLookUp, signal }: DialOptions,
  open: (target: Target) => Promise<Stream>,
): Promise<Stream> {
  throwIfAborted(signal);
  const { host, port } = readAddress(text);
  let failure: ClusterError | undefined;
  const ips = await resolve(host, text, lookUp, signal);
  const timeoutMs = Math.ceil(connectMs / ips.length);
  for (const ip of ips) {
    try {
      return await open({ host: ip, port, timeoutMs });
    } catch (error) {
      throwIfAborted(signal);
      const failed = connectError(text, error as Error);
      // An address that answered and refused tells more than one that did not answer.
      if (failure === undefined || isSilence(failure)) failure = failed;
    }
  }
  throw failure ?? new ClusterError('unreachable', `Cannot connect to ${text}: no address`);
}

/**
 * Waits for a socket to be connected and makes a stream of it; at the deadline, when stopped, and
 * where no stream can be made of it, nothing is left behind.
 */
export function untilReady<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
  toStream: (socket: S) => Stream,
): Promise<Stream> {
  const { clock, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const timer = new AbortController();
    const settle = (): void => {
      timer.abort();
      signal.removeEventListener('abort', stop);
      socket.off('close', hangUp);
    };
    const fail = (error: Error): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const stop = (): void => fail(abortReason(signal));
    const hangUp = (): void => fail(systemError('ECONNRESET', 'Closed by the peer'));
    signal.addEventListener('abort', stop, { once: true });
    // Stays: a socket that failed may fail again on its way out.
    socket.on('error', fail);
    socket.on('close', hangUp);
    socket.once(event, () => {
      settle();
      try {
        resolve(toStream(socket));
      } catch (error) {
        fail(error as Error);
      }
    });
    clock.sleep(timeoutMs, timer.signal)
      .then(() => fail(systemError('ETIMEDOUT', `No answer within ${timeoutMs} ms`)), () => {});
  });
}

/** Host and port. @throws ClusterError `configuration` */
export function readAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new ClusterError('configuration', `Cannot use address "${text}"`, {
    remedy: 'Write HOST:PORT, or [IPV6]:PORT',
  });
}

// --- internals -------------------------------------------------------------------------------

/** The addresses of a host, in the order in which the system prefers them. */
async function resolve(
  host: string,
  address: string,
  lookUp: LookUp,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host.split('%')[0]!) !== 0) return [host];
  try {
    return await untilAborted(lookUp(host), signal);
  } catch (error) {
    throwIfAborted(signal);
    throw connectError(address, error as Error);
  }
}

/** Nothing was heard from the other end. */
function isSilence(error: ClusterError): boolean {
  return error.code === 'unreachable';
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function systemLookUp(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
