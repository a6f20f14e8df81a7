/**
 * The handshake above TLS: who says what, and the verdict on it. Pure.
 *
 * The worker sends `session.hello`, the master answers or refuses. Identity is what the
 * certificate says; the hello only has to agree with it. Versions interoperate by what both know:
 * the highest protocol in common and the features in common.
 */
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { NodeIdentity } from '../ports.ts';
import type { PayloadOf, ReplyOf } from './messages.ts';

/** Application protocol names, agreed on inside TLS. */
export const protocolNames = { session: 'muster/1', join: 'muster-join/1' } as const;

/** Protocol versions of this program. */
export const protocolVersions: readonly number[] = [1];

/** Ability of a worker: takes a small change with the news of it, see `integrity.announced`. */
export const announceFeature = 'announce';

/** Optional abilities of this program, by name. */
export const ourFeatures: readonly string[] = ['zstd', 'resume', announceFeature];

/** What both ends have agreed on. Texts of the peer's are safe to be shown. */
export interface Agreement {
  readonly protocol: number;
  readonly features: ReadonlySet<string>;
  /** The peer's program version. */
  readonly version: string;
  readonly node: string;
  readonly epoch: string;
  /** How far the peer's clock is ahead of ours, milliseconds; the way there is not subtracted. */
  readonly skewMs: number;
}

/** What a node says of itself. */
export interface SelfDescription {
  readonly identity: NodeIdentity;
  readonly version: string;
  readonly epoch: string;
  readonly algorithm: string;
}

/** The hello of a node. */
export function helloOf(self: SelfDescription, nowMs: number): PayloadOf<'session.hello'> {
  return {
    protocols: protocolVersions,
    features: ourFeatures,
    version: self.version,
    node: self.identity.node,
    cluster: self.identity.cluster,
    epoch: self.epoch,
    nowMs,
    algorithm: self.algorithm,
  };
}

/**
 * The master's answer to a hello.
 * @throws ClusterError `incompatible` or `authentication`, with what the worker's operator can do
 */
export function answerHello(
  self: SelfDescription,
  peer: NodeIdentity,
  hello: PayloadOf<'session.hello'>,
  nowMs: number,
): { reply: ReplyOf<'session.hello'>; agreement: Agreement } {
  if (hello.node !== peer.node || hello.cluster !== peer.cluster) {
    throw new ClusterError(
      'authentication',
      displayText(
        `The node calls itself "${hello.node}" of cluster "${hello.cluster}", but its certificate ` +
          `is of "${peer.node}" of "${peer.cluster}": set node.name as in the certificate or join ` +
          'anew',
      ),
    );
  }
  if (hello.algorithm !== self.algorithm) {
    throw new ClusterError(
      'incompatible',
      displayText(
        `The master hashes with ${self.algorithm}, the node with ${hello.algorithm}: ` +
          `set local_integrity.algorithm = "${self.algorithm}" on the node`,
      ),
    );
  }
  const protocol = highestInCommon(hello.protocols);
  if (protocol === undefined) {
    throw new ClusterError(
      'incompatible',
      displayText(
        `No protocol version in common: this master (${self.version}) speaks ` +
          `${protocolVersions.join(', ')}, the node (${hello.version}) ` +
          (hello.protocols.join(', ') || 'none'),
      ),
    );
  }
  const reply = {
    protocol,
    features: ourFeatures,
    version: self.version,
    node: self.identity.node,
    epoch: self.epoch,
    nowMs,
  };
  return { reply, agreement: agree(hello, protocol, nowMs) };
}

/** What the worker makes of the master's answer. */
export function readHelloReply(reply: ReplyOf<'session.hello'>, nowMs: number): Agreement {
  if (!protocolVersions.includes(reply.protocol)) {
    throw new ClusterError(
      'incompatible',
      `The master chose protocol ${reply.protocol}, which this program does not speak`,
    );
  }
  return agree(reply, reply.protocol, nowMs);
}

function agree(
  said: {
    features: readonly string[];
    version: string;
    node: string;
    epoch: string;
    nowMs: number;
  },
  protocol: number,
  nowMs: number,
): Agreement {
  return {
    protocol,
    features: new Set(said.features.filter((feature) => ourFeatures.includes(feature))),
    version: displayText(said.version),
    node: displayText(said.node),
    epoch: displayText(said.epoch),
    skewMs: said.nowMs - nowMs,
  };
}

function highestInCommon(theirs: readonly number[]): number | undefined {
  const common = theirs.filter((version) => protocolVersions.includes(version));
  return common.length === 0 ? undefined : Math.max(...common);
}
