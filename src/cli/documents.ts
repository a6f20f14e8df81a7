/**
 * The documents that only commands print; those of a node are in `src/node/documents.ts`, and
 * docs/json.md describes all.
 */
import type { Document } from '../node/documents.ts';

/** What `init` prints. */
export interface InitDocument extends Document {
  readonly node: string;
  readonly cluster: string;
  readonly role: 'master';
  readonly config: string;
  readonly authority_fingerprint: string;
}

/** What `join` prints. */
export interface JoinDocument extends Document {
  readonly node: string;
  readonly cluster: string;
  readonly role: 'worker';
  readonly config: string;
  readonly master: string;
  readonly address: string;
  readonly certificate_expires: string;
}

/** A certificate. */
export interface CertificateDocument {
  /** Null in the authority's, which stands for no node. */
  readonly node: string | null;
  readonly role: 'master' | 'worker' | 'authority';
  readonly cluster: string;
  readonly serial: string;
  /** SHA-256, hexadecimal. */
  readonly fingerprint: string;
  readonly valid_from: string;
  readonly expires: string;
}

/** What `cert show` prints. */
export interface CertificatesDocument extends Document {
  readonly certificate: CertificateDocument;
  readonly authority: CertificateDocument;
}

/** What `config check` prints where all is well. */
export interface ConfigCheckDocument extends Document {
  readonly file: string;
  readonly node: string;
  readonly role: 'master' | 'worker';
  readonly cluster: string;
  readonly sets: number;
}

/** How something is that `doctor` looked at. */
export type Verdict = 'ok' | 'warn' | 'fail';

/** One thing that `doctor` looked at. */
export interface DoctorCheckDocument {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly message: string;
  /** What to do about it; null where nothing has to be done. */
  readonly remedy: string | null;
}

/** What `doctor` prints. */
export interface DoctorDocument extends Document {
  readonly node: string;
  /** The worst of all checks. */
  readonly verdict: Verdict;
  readonly checks: readonly DoctorCheckDocument[];
}

/** What `version` prints. */
export interface VersionDocument extends Document {
  readonly version: string;
  readonly commit: string;
  readonly target: string;
  readonly runtime: string;
  readonly runtime_version: string;
}

/** What every command prints that fails. */
export interface ErrorDocument extends Document {
  readonly error: {
    /** One of the error codes, or `usage`. */
    readonly code: string;
    readonly message: string;
    readonly remedy: string | null;
    readonly exit_code: number;
    /** With code `configuration` only: everything that is wrong. */
    readonly problems?: readonly { readonly where: string; readonly message: string }[];
  };
}
