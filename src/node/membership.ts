/** Who belongs to a cluster: join tokens, the nodes that have joined, and those that were expelled. */
import { ClusterError } from '../base/errors.ts';
import { isoTime, isoTimeOrNull } from '../base/time-text.ts';
import type { Issuer } from '../identity/issuing.ts';
import { NodeRegistry } from '../identity/node-registry.ts';
import { SqlTokenStore } from '../identity/sql-token-store.ts';
import { type IssueOptions, TokenBook, type TokenBookPorts } from '../identity/token-book.ts';
import { encodeToken } from '../identity/token.ts';
import type { NodeIdentity, PlainPorts } from '../ports.ts';
import {
  type JoinAnswer,
  joinHandlers,
  type MembershipPorts,
  renewalHandlers,
} from '../tasks/certificates.ts';
import { type NodesDocument, schemaVersion, type TokenDocument } from './documents.ts';

/** What lets nodes in. */
export interface MembershipSetting {
  readonly issuer: Issuer;
  readonly tokenPorts: Omit<TokenBookPorts, 'store'>;
  /** SHA-256 of the authority's certificate, hexadecimal. */
  readonly authorityFingerprint: string;
}

/** The members of a cluster, as its master knows them. */
export class Membership {
  readonly registry: NodeRegistry;
  readonly #ports: MembershipPorts;
  readonly #master: NodeIdentity;
  readonly #authorityFingerprint: string;

  constructor(ports: PlainPorts, setting: MembershipSetting, master: NodeIdentity) {
    const { clock, log, database } = ports;
    const { issuer, tokenPorts, authorityFingerprint } = setting;
    this.registry = new NodeRegistry(database);
    const tokens = new TokenBook({ ...tokenPorts, store: new SqlTokenStore(database) });
    this.#ports = { clock, log, issuer, tokens, registry: this.registry };
    this.#master = master;
    this.#authorityFingerprint = authorityFingerprint;
  }

  /** Answers to nodes that want to join. */
  joinHandlers(answer: JoinAnswer) {
    return joinHandlers(this.#ports, this.#master, answer);
  }

  /** Answers to members. */
  handlers() {
    return renewalHandlers(this.#ports, this.#master.cluster);
  }

  /** Makes a join token for a master that is reached under these addresses. */
  issueToken(addresses: readonly string[], options: IssueOptions): TokenDocument {
    const { tokens, clock } = this.#ports;
    const issued = tokens.issue(options, clock.nowMs());
    const token = encodeToken({
      id: issued.id,
      secret: issued.secret,
      expiresAtSeconds: Math.floor(issued.expiresAtMs / 1000),
      addresses,
      cluster: this.#master.cluster,
      authorityFingerprint: this.#authorityFingerprint,
      node: options.node,
    });
    return {
      schema_version: schemaVersion,
      token,
      expires: isoTime(issued.expiresAtMs),
      uses: options.uses ?? 1,
      node: options.node ?? null,
    };
  }

  /** The nodes that have joined, whether they are members still or not. */
  list(isConnected: (name: string) => boolean): NodesDocument['nodes'] {
    return this.registry.list().map((node) => ({
      name: node.name,
      role: node.role,
      protocol: 'native',
      connected: isConnected(node.name),
      joined: isoTime(node.joinedMs),
      certificate_expires: isoTime(node.notAfterMs),
      revoked: isoTimeOrNull(node.revokedMs),
    }));
  }

  /** Expels a node; that its session ends is the caller's. */
  revoke(name: string): void {
    const { clock, log } = this.#ports;
    if (!this.registry.revoke(name, clock.nowMs())) {
      throw new ClusterError('notFound', `No node named "${name}" has joined`, {
        remedy: 'See "muster nodes" for those that have',
      });
    }
    log.log('info', `${name} was revoked.`);
  }
}
