/**
 * The documents that a node gives about itself: what `--json` prints and the control socket serves.
 * Field names are promises; `schema_version` is raised when one changes its meaning.
 */
import type { VersionKind } from '../files/version-store.ts';

/** Version of all documents. */
export const schemaVersion = 1;

/** What every document begins with. */
export interface Document {
  readonly schema_version: typeof schemaVersion;
}

/** Agents by their connection. */
export interface StatusCountsDocument {
  readonly never_connected: number;
  readonly pending: number;
  readonly active: number;
  readonly disconnected: number;
}

/** The agents of a node. */
export interface AgentsStatusDocument {
  readonly total: number;
  readonly by_status: StatusCountsDocument;
  /** By the node that they report to. */
  readonly by_node: readonly ({ readonly node: string } & StatusCountsDocument)[];
  /** On a worker: agents of which the master has not confirmed the last report. */
  readonly unconfirmed: number;
  /** On a worker: agents that report here, and are none to the master. */
  readonly refused: number;
  /** Groups that exist. */
  readonly groups: number;
  /** On a worker: when it last had the groups that the master had. */
  readonly confirmed: string | null;
}

/** How one task is doing. */
export interface TaskDocument {
  readonly name: string;
  /** The worker that it serves, where there is one such task for each. */
  readonly worker: string | null;
  readonly running: boolean;
  readonly rounds: number;
  /** Rounds that failed since the start. */
  readonly failures: number;
  readonly failures_in_a_row: number;
  /** Time that all rounds that succeeded took together. */
  readonly duration_total_ms: number;
  readonly last_success: string | null;
  readonly last_duration_ms: number | null;
  readonly last_summary: string | null;
  readonly last_error: string | null;
}

/** A set that a guard has stopped. */
export interface HaltDocument {
  readonly set: string;
  readonly reason: string;
  readonly since: string;
}

/** One file set as it is on this node. */
export interface SetDocument {
  readonly name: string;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  readonly halted: string | null;
}

/** A worker as its master sees it. */
export interface PeerDocument {
  readonly node: string;
  /** The protocol that it speaks with its master. */
  readonly protocol: 'native' | 'wazuh';
  readonly address: string;
  readonly version: string;
  readonly connected_since: string;
  readonly last_heard_ms_ago: number;
  /** Null where the protocol does not tell. */
  readonly clock_skew_ms: number | null;
  /** Generation that the worker reported last; null before its first report. */
  readonly generation: number | null;
  readonly in_sync: boolean | null;
  readonly halted: readonly { readonly set: string; readonly reason: string }[];
  readonly bytes_received: number;
  readonly bytes_sent: number;
}

/** What `muster status` shows. */
export interface StatusDocument extends Document {
  readonly node: string;
  readonly cluster: string;
  readonly role: 'master' | 'worker';
  readonly version: string;
  readonly pid: number;
  readonly started: string;
  readonly generation: number | null;
  readonly files: number;
  readonly bytes: number;
  readonly sets: readonly SetDocument[];
  readonly halted: readonly HaltDocument[];
  readonly agents: AgentsStatusDocument;
  readonly tasks: readonly TaskDocument[];
  /** Null where the node needs none: in the protocol of Wazuh there are no certificates. */
  readonly certificate_expires: string | null;
  readonly longest_loop_hold_ms: number;
  /** Sessions opened since the start: with the master, on a master with workers. */
  readonly connections: number;
  /** Sets that a guard halted since the start. */
  readonly guard_halts: number;
  /** On a worker: the master; null while there is none. */
  readonly master: {
    readonly node: string;
    readonly address: string;
    readonly version: string;
    readonly connected_since: string;
    readonly round_trip_ms: number | null;
    /** Null where the protocol does not tell. */
    readonly clock_skew_ms: number | null;
  } | null;
  /** On a worker: why there is no master. */
  readonly last_error: string | null;
  /** On a worker: whether the last round found everything in step. */
  readonly in_sync: boolean | null;
  /** On a worker: files that the last round left different, halted or not to be handled. */
  readonly drift: number | null;
  /** On a master: the workers in session. */
  readonly peers: readonly PeerDocument[];
}

/** A path that differs, and how. */
export interface DifferenceDocument {
  readonly set: string;
  /** For people: control characters and bytes that are not UTF-8 are escaped. */
  readonly path: string;
  /** What has to be done here to be in step with the master. */
  readonly action: 'create' | 'replace' | 'remove';
  readonly size: number | null;
}

/** A path that could not be handled. */
export interface ProblemDocument {
  readonly path: string;
  readonly reason: string;
}

/** What `check` and `diff` print. */
export interface CheckDocument extends Document {
  readonly node: string;
  readonly compared_with: 'master' | 'last applied generation' | 'last published generation';
  readonly generation: number;
  /** Nothing differs, and everything could be read. */
  readonly in_sync: boolean;
  readonly files: number;
  readonly differences: readonly DifferenceDocument[];
  readonly problems: readonly ProblemDocument[];
  /** Links, devices and the like beside the files: left alone, and no difference. */
  readonly unmanaged: readonly ProblemDocument[];
  readonly halted: readonly { readonly set: string; readonly reason: string }[];
}

/** What `sync --once` prints. */
export interface SyncDocument extends Document {
  readonly node: string;
  readonly generation: number;
  readonly in_sync: boolean;
  readonly dry_run: boolean;
  readonly created: number;
  readonly replaced: number;
  readonly removed: number;
  readonly bytes: number;
  readonly duration_ms: number;
  readonly differences: readonly DifferenceDocument[];
  readonly problems: readonly ProblemDocument[];
  readonly halted: readonly { readonly set: string; readonly reason: string }[];
}

/** What `approve` prints. */
export interface ApproveDocument extends Document {
  readonly approved: readonly HaltDocument[];
}

/** What `nodes` prints. */
export interface NodesDocument extends Document {
  readonly nodes: readonly {
    readonly name: string;
    readonly role: 'master' | 'worker';
    readonly protocol: 'native' | 'wazuh';
    readonly connected: boolean;
    /** When it joined; of a Wazuh worker since when it is connected. */
    readonly joined: string;
    /** Null for a Wazuh worker: there are no certificates in that protocol. */
    readonly certificate_expires: string | null;
    readonly revoked: string | null;
  }[];
}

/** What `token` prints. */
export interface TokenDocument extends Document {
  readonly token: string;
  readonly expires: string;
  readonly uses: number;
  readonly node: string | null;
}

/** What `versions` prints. */
export interface VersionsDocument extends Document {
  readonly versions: readonly {
    readonly id: number;
    readonly set: string;
    readonly path: string;
    /** Generation whose application made this change. */
    readonly generation: number;
    /**
     * What was done: `replaced`, `removed`, `created` (there was nothing before: going back removes
     * the file), or `given-up` where what was there has not been kept.
     */
    readonly kind: VersionKind;
    /** Bytes that were there before. */
    readonly size: number;
    readonly replaced: string;
  }[];
}

/** What `rollback` prints. */
export interface RollbackDocument extends Document {
  readonly restored: number;
  readonly removed: number;
  /** Sets that are held at the restored state until they are approved. */
  readonly held: readonly string[];
  readonly problems: readonly ProblemDocument[];
}
