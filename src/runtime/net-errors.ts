/**
 * Failures of the network in words: what the operating system and the TLS libraries report, as
 * ClusterErrors that say which address and what to do.
 */
import { ClusterError } from '../base/errors.ts';
import { explainRefusal } from '../identity/refusal-text.ts';
import { mapTlsFailure } from '../identity/tls-failures.ts';
import { systemCode } from './file-errors.ts';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the peer reset it',
  ECONNABORTED: 'it was broken off',
  EPIPE: 'the peer has closed it',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be resolved at the moment',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to that host',
  EHOSTDOWN: 'that host is down',
  ENETUNREACH: 'the network is unreachable',
  ENETDOWN: 'the network is down',
  EADDRNOTAVAIL: 'that address is not available on this machine',
  EADDRINUSE: 'another program listens there already',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files on this machine',
};

const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Check that the master runs there and listens on that port',
  ENOTFOUND: 'Check the name, and the name servers of this machine',
  EAI_AGAIN: 'Check the name servers of this machine',
  ETIMEDOUT: 'Check the address, and that no firewall drops the packets',
  EHOSTUNREACH: 'Check the address, and the network in between',
  ENETUNREACH: 'Check the network of this machine',
  EADDRINUSE: 'Stop that program, or listen on another port',
  EADDRNOTAVAIL: 'Listen on an address of this machine, or on 0.0.0.0 for all',
  EACCES: 'Listen on a port above 1023, or grant the capability CAP_NET_BIND_SERVICE',
  EMFILE: 'Raise the limit of open files (LimitNOFILE of the service)',
};

/** The reason of a system error in words. */
export function systemReason(error: Error): string {
  return reasons[systemCode(error) ?? ''] ?? error.message;
}

/**
 * The error of an attempt to connect that failed.
 * @param address as the user wrote it, `host:port`
 */
export function connectError(address: string, error: Error): ClusterError {
  if (error instanceof ClusterError) return error;
  const code = systemCode(error) ?? '';
  const remedy = remedies[code];
  const failure = code in reasons ? undefined : mapTlsFailure(code, error.message);
  if (failure !== undefined && failure.refusal.kind !== 'closedEarly') {
    const { message, remedy } = explainRefusal(failure.refusal, failure.end, address);
    const isAlien = failure.refusal.kind === 'noCommonProtocol';
    return new ClusterError(isAlien ? 'incompatible' : 'authentication', message, {
      source: error,
      remedy,
    });
  }
  return new ClusterError(
    'unreachable',
    `Cannot connect to ${address}: ${systemReason(error)}`,
    { source: error, remedy },
  );
}

/** The error of an attempt to listen that failed. */
export function listenError(address: string, error: Error): ClusterError {
  const code = systemCode(error) ?? '';
  const remedy = remedies[code];
  return new ClusterError(
    code === 'EACCES' || code === 'EPERM' ? 'permission' : 'failed',
    `Cannot listen on ${address}: ${systemReason(error)}`,
    { source: error, remedy },
  );
}
