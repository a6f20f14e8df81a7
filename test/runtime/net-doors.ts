/** Listening and dialling nodes on loopback, for the tests of the network. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { after } from 'node:test';
import { parseAddress } from '../../src/base/address.ts';
import { concatBytes } from '../../src/base/bytes.ts';
import { ClusterError } from '../../src/base/errors.ts';
import type { Clock, ConnectOptions, Listener, Logger, LogLevel, Stream } from '../../src/ports.ts';
import { readCertificate } from '../../src/runtime/certificates.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createTlsNetwork } from '../../src/runtime/net.ts';
import type { NetworkLimits, TlsCredentials, TlsNetwork } from '../../src/runtime/net.ts';
import { eventually } from './manual-clock.ts';
import { makeNode } from './tls-nodes.ts';

/** The protocol that nodes of the tests speak. */
export const PROTOCOL = 'muster/1';
/** A master and a worker of one cluster. */
export const master = await makeNode('master', 'm1');
export const worker = await makeNode('worker', 'w1');

/** What was logged. */
export interface Line {
  readonly level: LogLevel;
  readonly text: string;
}

/** What is special about a network. */
export interface NetworkChange {
  readonly clock?: Clock;
  readonly limits?: Partial<NetworkLimits>;
  readonly protocols?: string[];
  readonly lookUp?: (host: string) => Promise<readonly string[]>;
}

/** A network of a node, with what it logged. */
export function networkOf(
  credentials: TlsCredentials | undefined,
  change: NetworkChange = {},
): TlsNetwork & { readonly lines: Line[] } {
  const { clock = systemClock, limits = {}, protocols = [PROTOCOL], lookUp } = change;
  const lines: Line[] = [];
  const log: Logger = { log: (level, text) => void lines.push({ level, text }), child: () => log };
  const readPeer = (der: Uint8Array) => readCertificate(der, credentials?.authorityPem);
  const names = lookUp === undefined ? {} : { lookUp };
  const options = { credentials, protocols, readPeer, limits, log, clock, ...names };
  return Object.assign(createTlsNetwork(options), { lines });
}

/** A listening node and the streams that came in. */
export interface Door {
  readonly network: TlsNetwork & { readonly lines: Line[] };
  readonly listener: Listener;
  readonly port: number;
  /** The next stream that comes in. */
  next(): Promise<Stream>;
}

/** What is to be undone after the tests of a file. */
export const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Opens a door of a node. */
export async function openDoor(
  credentials: TlsCredentials = master,
  change: NetworkChange & { readonly address?: string } = {},
): Promise<Door> {
  const network = networkOf(credentials, change);
  const came: Stream[] = [];
  const listener = await network.listen(change.address ?? '127.0.0.1:0', (stream) => {
    came.push(stream);
    cleanups.push(() => stream.abort());
  });
  cleanups.push(() => listener.close());
  const next = async (): Promise<Stream> => {
    await eventually('a stream comes in', () => came.length > 0);
    return came.shift()!;
  };
  return { network, listener, port: parseAddress(listener.address)!.port, next };
}

/** Connects to an address. */
export function dial(
  address: string,
  credentials: TlsCredentials | undefined = worker,
  change: NetworkChange & Partial<ConnectOptions> = {},
): Promise<Stream> {
  const { trust = 'cluster', signal = new AbortController().signal, judge } = change;
  const protocols = change.protocols ?? [PROTOCOL];
  const options = { protocols, trust, signal, ...(judge === undefined ? {} : { judge }) };
  const dialled = networkOf(credentials, change).connect(address, options);
  dialled.then((stream) => cleanups.push(() => stream.abort()), () => {});
  return dialled;
}

/** Reads to the end. */
export async function readAll(stream: Stream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.readable) chunks.push(chunk);
  return concatBytes([...chunks, new Uint8Array()]);
}

/** A TCP connection that says nothing by itself. */
export async function knock(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  socket.on('error', () => {});
  socket.on('data', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Checks an error by code and message. */
export function failure(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ClusterError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
