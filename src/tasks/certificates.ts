/**
 * certificates: lets nodes in, and keeps their certificates fresh.
 *
 * A node joins once, with a token, over a session that accepts nothing else. From then on every
 * node looks at its own certificate now and then (hourly) and has it renewed when little of its
 * life is left: the worker over its authenticated session, the master by its own authority. New
 * connections use the new certificate at once; nothing restarts. A failed renewal is repeated at
 * every round, and is an error in the log as long as it lasts.
 */
import { fromHex, toBytes } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import { nameProblem } from '../identity/certificate-names.ts';
import type { Issuer, OwnCertificate } from '../identity/issuing.ts';
import type { NodeRegistry } from '../identity/node-registry.ts';
import { explainRedemption, type TokenBook } from '../identity/token-book.ts';
import type { Clock, Logger, NodeIdentity } from '../ports.ts';
import type { HandlersFor } from '../session/handlers.ts';
import type { Session } from '../session/session.ts';
import type { PayloadOf, ReplyOf } from '../wire/messages.ts';
import type { RoundReport, Task, Turn } from './task.ts';

/** Pause between two looks at the own certificate, ms. */
const intervalMs = 60 * 60 * 1000;

/** Settings of renewal. */
export interface RenewalOptions {
  /** Life left below which a certificate is renewed, ms. @default 30 days */
  readonly renewBeforeMs: number;
}

/** Has a new certificate made: how depends on the role. */
export type Renew = (signal: AbortSignal) => Promise<void>;

/** The task of either role. */
export class Renewal implements Task {
  readonly name = 'certificates';
  readonly title = 'Certificates';
  readonly schedule = { intervalMs, deadlineMs: 60_000 };
  readonly #clock: Clock;
  readonly #own: OwnCertificate;
  readonly #renew: Renew;
  readonly #renewBeforeMs: number;

  constructor(
    ports: { readonly clock: Clock },
    own: OwnCertificate,
    renew: Renew,
    options: RenewalOptions,
  ) {
    this.#clock = ports.clock;
    this.#own = own;
    this.#renew = renew;
    this.#renewBeforeMs = options.renewBeforeMs;
  }

  async round(turn: Turn): Promise<RoundReport> {
    const { notBeforeMs, notAfterMs } = this.#own.facts();
    // Not earlier than after half its life, whatever is configured: a certificate shorter than
    // the limit would be renewed at every look.
    const dueMs = Math.max(notAfterMs - this.#renewBeforeMs, (notBeforeMs + notAfterMs) / 2);
    if (this.#clock.nowMs() < dueMs) return { summary: undefined };
    await this.#renew(turn.signal);
    const days = Math.round((this.#own.facts().notAfterMs - this.#clock.nowMs()) / 86_400_000);
    return { summary: `The certificate was renewed, it is valid for ${days} days.` };
  }
}

/** Renewal of a worker: the master signs. */
export function renewByMaster(
  own: OwnCertificate,
  session: () => Session | undefined,
): Renew {
  return async (signal) => {
    const link = session();
    if (link === undefined) {
      throw new ClusterError('unreachable', 'Cannot renew the certificate: no master is connected');
    }
    const { keyPem, requestPem } = await own.request();
    const { certificate } = await link.request(
      'certificate.renew',
      { certificateRequest: requestPem },
      { signal },
    );
    await own.install(keyPem, certificate);
  };
}

/** Renewal of the master: its own authority signs. */
export function renewByAuthority(
  ports: { readonly clock: Clock },
  own: OwnCertificate,
  issuer: Issuer,
  identity: NodeIdentity,
): Renew {
  return async () => {
    const { keyPem, requestPem } = await own.request();
    const issued = await issuer.sign(requestPem, identity, ports.clock.nowMs());
    await own.install(keyPem, issued.certificatePem);
  };
}

// --- the master's end ------------------------------------------------------------------------

/** What letting nodes in needs. */
export interface MembershipPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly issuer: Issuer;
  readonly tokens: TokenBook;
  readonly registry: NodeRegistry;
}

/** What a joining node is told besides its certificate. */
export type JoinAnswer = Omit<ReplyOf<'join.redeem'>, 'certificate' | 'authority'>;

/** Answers to nodes that have no certificate yet. */
export function joinHandlers(
  ports: MembershipPorts,
  master: NodeIdentity,
  answer: JoinAnswer,
): HandlersFor<'joiner'> & Pick<HandlersFor<'both'>, 'session.ping'> {
  const { issuer } = ports;
  return {
    'session.ping': () => ({}),
    'join.authority': () => ({ authority: issuer.authorityPem }),
    'join.redeem': async (request, context) => {
      const certificate = await admit(ports, master, request, context.session.remote);
      return { ...answer, certificate, authority: issuer.authorityPem };
    },
  };
}

/** Answers to workers that want a new certificate. */
export function renewalHandlers(
  ports: MembershipPorts,
  cluster: string,
): Pick<HandlersFor<'worker'>, 'certificate.renew'> {
  const { clock, log, issuer, registry } = ports;
  return {
    'certificate.renew': async (request, context) => {
      await issuer.inspect(request.certificateRequest);
      const identity = { cluster, node: context.peer, role: 'worker' as const };
      const issued = await issuer.sign(request.certificateRequest, identity, clock.nowMs());
      registry.renewed(context.peer, issued.serial, issued.notAfterMs, clock.nowMs());
      log.log('info', `Renewed the certificate of ${context.peer}.`);
      return { certificate: issued.certificatePem };
    },
  };
}

/** Decides about a join request and signs it. */
async function admit(
  ports: MembershipPorts,
  master: NodeIdentity,
  request: PayloadOf<'join.redeem'>,
  remote: string,
): Promise<string> {
  const { clock, log, issuer, tokens, registry } = ports;
  const { node } = request;
  const problem = nameProblem(node);
  if (problem !== undefined) throw new ClusterError('refused', `The node name ${problem}`);
  if (node === master.node) {
    throw new ClusterError('refused', `"${node}" is the name of the master: choose another one`);
  }
  const secret = fromHex(request.secret);
  if (secret === undefined) throw new ClusterError('protocol', 'The secret is not hexadecimal');
  const { keyFingerprint } = await issuer.inspect(request.certificateRequest);
  const redemption = { id: request.tokenId, secret: toBytes(secret), node, keyFingerprint };
  const result = tokens.redeem(redemption, clock.nowMs());
  if (result.kind !== 'ok') {
    log.log('warning', `${remote} may not join: ${explainRedemption(result, 'master')}`);
    throw new ClusterError('authentication', explainRedemption(result, 'bearer'));
  }
  const identity = { cluster: master.cluster, node, role: 'worker' as const };
  const issued = await issuer.sign(request.certificateRequest, identity, clock.nowMs());
  const joined = { name: node, role: 'worker' as const, ...issued };
  const before = registry.find(node);
  registry.joined(joined, clock.nowMs());
  // Most often a machine that was set up anew; where it is not, two nodes now fight for one name.
  if (before !== undefined && before.revokedMs === undefined) {
    log.log('warning', `${node} joined from ${remote}, a name that had joined before.`);
  } else {
    log.log('info', `${node} joined from ${remote}.`);
  }
  return issued.certificatePem;
}
