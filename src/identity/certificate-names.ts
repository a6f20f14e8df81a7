/**
 * How the identity of a node is written in a certificate, and how it is read from one.
 *
 * The authoritative form is one URI among the subject's alternative names:
 * `muster://CLUSTER/ROLE/NODE`. The subject (CN, O, OU) repeats it for people who look at the
 * certificate with other tools and is never read back. Host names and addresses in a certificate
 * say nothing about identity.
 *
 * The reader is strict: exactly one URI, written exactly as the writer writes it.
 */
import type { NodeIdentity } from '../ports.ts';

export type { NodeIdentity } from '../ports.ts';

/** What a certificate can stand for: a node in its role, or the authority of the cluster. */
export type CertificateRole = NodeIdentity['role'] | 'authority';

/** What a certificate says about its holder. */
export interface CertificateName {
  readonly cluster: string;
  readonly role: CertificateRole;
  readonly node: string;
}

/** The node name in an authority's certificate, which stands for no node. */
export const AUTHORITY_NODE = 'authority';

/** Longest name of a node or cluster: 64 characters, what X.509 allows a common name. */
export const NAME_LENGTH_MAX = 64;

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const IDENTITY_URI = /^muster:\/\/([^/]{1,192})\/(master|worker|authority)\/([^/]{1,192})$/;

/**
 * What is wrong with the name of a node or cluster, or undefined where nothing is.
 * The names '.' and '..' are refused because names become parts of paths.
 */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > NAME_LENGTH_MAX) {
    return `it has ${name.length} characters, at most ${NAME_LENGTH_MAX} are allowed`;
  }
  if (!NAME.test(name)) return 'only letters, digits, "_", "." and "-" are allowed';
  if (name === '.' || name === '..') return 'it would be a directory';
  return undefined;
}

/** Whether a text can name a node or cluster. */
export function isName(name: string): boolean {
  return nameProblem(name) === undefined;
}

/** The alternative name that carries an identity, e.g. `muster://office/worker/node-1`. */
export function identityUri(name: CertificateName): string {
  const { cluster, role, node } = name;
  return `muster://${encodeURIComponent(cluster)}/${role}/${encodeURIComponent(node)}`;
}

/** Reads what `identityUri` writes; undefined for anything else, however similar. */
export function parseIdentityUri(uri: string): CertificateName | undefined {
  const [, clusterPart, role, nodePart] = IDENTITY_URI.exec(uri) ?? [];
  if (clusterPart === undefined || role === undefined || nodePart === undefined) return undefined;
  const cluster = decodePart(clusterPart);
  const node = decodePart(nodePart);
  if (cluster === undefined || node === undefined) return undefined;
  return { cluster, role: role as CertificateRole, node };
}

/**
 * What a certificate says about its holder, from the text of its alternative names as
 * `X509Certificate.subjectAltName` gives it. Undefined where there is no identity, more than one
 * URI, or an entry that does not read plainly.
 */
export function nameInAltNames(altNames: string | undefined): CertificateName | undefined {
  if (altNames === undefined) return undefined;
  // An entry that holds a separator is put in quotes by the runtimes. None that we issue does.
  if (altNames.includes('"')) return undefined;
  const uris = altNames.split(', ').filter((entry) => /^uri:/i.test(entry));
  const [uri] = uris;
  if (uri === undefined || uris.length > 1) return undefined;
  return parseIdentityUri(uri.slice('URI:'.length));
}

/** The identity of a node that a certificate carries; undefined for an authority's, too. */
export function nodeIdentity(name: CertificateName | undefined): NodeIdentity | undefined {
  if (name === undefined || name.role === 'authority') return undefined;
  return { cluster: name.cluster, node: name.node, role: name.role };
}

/** The subject's fields: for people only. */
export function subjectFields(
  name: CertificateName,
): { readonly CN: string; readonly O: string; readonly OU: string } {
  return { CN: name.node, O: name.cluster, OU: name.role };
}

// --- internals -------------------------------------------------------------------------------

function decodePart(part: string): string | undefined {
  let name: string;
  try {
    name = decodeURIComponent(part);
  } catch {
    return undefined;
  }
  // Two spellings of one name would let a comparison of URIs disagree with one of names.
  return isName(name) && encodeURIComponent(name) === part ? name : undefined;
}
