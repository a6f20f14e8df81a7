/**
 * From what a master ordered and what it sent to what differs, set by set.
 *
 * What the master says of a path does not make it one of this node's: path, set and hash are held
 * against the own sets and against what has really come. A path that does not stand is left out, and
 * told of.
 */
import { type BytePath, displayPath, displayText, fromText } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { ApplyFailure } from '../../files/apply.ts';
import type { EntryChange } from '../../files/entry.ts';
import type { SetTable } from '../../files/file-set.ts';
import type { LocalTree } from '../../files/local-tree.ts';
import { withChanges } from '../../files/table-difference.ts';
import type { Clock } from '../../ports.ts';
import type { SetDifference } from '../../tasks/integrity/judging.ts';
import type { FileOrder } from '../file-table.ts';
import type { SyncedFiles } from '../synced-files.ts';
import type { ArchiveIntake } from './archive-intake.ts';
import type { MasterAnswer } from './sync-inbox.ts';

/** What a check found. */
export interface Found {
  /** Number of the state that this leads to. */
  readonly generation: number;
  readonly differences: readonly SetDifference[];
  /** Files that were ordered and cannot be brought in step. */
  readonly failures: readonly ApplyFailure[];
  /** Bytes of contents that came. */
  readonly bytes: number;
}

/** What orders are held against. */
export interface OrderPorts {
  readonly clock: Clock;
  readonly sets: SetTable;
  readonly synced: SyncedFiles;
  readonly tree: LocalTree;
}

/**
 * What differs, by the answer of a master.
 * @param numbers those of the state that the node is in, and of the next one
 */
export async function differencesIn(
  ports: OrderPorts,
  answer: MasterAnswer,
  intake: ArchiveIntake,
  numbers: { readonly present: number; readonly next: number },
): Promise<Found> {
  const { present, next } = numbers;
  if (answer === undefined) {
    return { generation: present, differences: [], failures: [], bytes: 0 };
  }
  const changes = new ChangesBySet(ports, intake);
  for (const orders of [answer.missing, answer.shared]) {
    for (const [path, order] of orders) changes.place(path, order);
  }
  for (const [path, order] of answer.extra) changes.remove(path, order);
  const differences = await changes.differences();
  return {
    generation: differences.length === 0 ? present : next,
    differences,
    failures: [...intake.failures, ...changes.failures],
    bytes: intake.bytesCount,
  };
}

// ---

class ChangesBySet {
  readonly failures: ApplyFailure[] = [];
  readonly #ports: OrderPorts;
  readonly #intake: ArchiveIntake;
  readonly #changes = new Map<string, EntryChange[]>();
  /** Paths of which it was told already that they came and could not be taken in. */
  readonly #told: ReadonlySet<BytePath>;

  constructor(ports: OrderPorts, intake: ArchiveIntake) {
    this.#ports = ports;
    this.#intake = intake;
    this.#told = new Set(intake.failures.map(({ path }) => path));
  }

  place(path: BytePath, order: FileOrder): void {
    const entry = this.#intake.received.get(path);
    if (entry === undefined) {
      if (!this.#told.has(path)) {
        this.#fail(path, 'changed', 'the master did not send it: the next round brings it');
      }
    } else if (order.hash !== undefined && entry.hash !== order.hash) {
      this.#fail(path, 'changed', 'it changed on the master meanwhile: the next round brings it');
    } else {
      // The path of the entry: that of the order is not kept then.
      this.#add(entry.path, order, entry);
    }
  }

  remove(path: BytePath, order: FileOrder): void {
    this.#add(path, order, undefined);
  }

  /** What differs, with the tables that it leads to. */
  async differences(): Promise<SetDifference[]> {
    const { tree, clock } = this.#ports;
    const found: SetDifference[] = [];
    for (const [set, changes] of this.#changes) {
      const actual = tree.scanner.manifest(set);
      const wanted = await withChanges(actual, changes, clock);
      await wanted.prepareDigests(clock);
      if (wanted.rootDigest === actual.rootDigest) continue;
      const { rootDigest: digest, count: wantedCount } = wanted;
      found.push({ set, digest, wantedCount, isApproved: false, changes });
    }
    return found;
  }

  #add(path: BytePath, { setKey }: FileOrder, entry: EntryChange['entry']): void {
    const { sets, synced } = this.#ports;
    const set = sets.setOf(path);
    if (set === undefined || synced.keyOf(path) === undefined) {
      this.#fail(path, 'refused', 'it belongs to no set that this node has in common with it');
    } else if (!path.startsWith(fromText(setKey))) {
      this.#fail(path, 'refused', `the master counts it to "${displayText(setKey)}"`);
    } else {
      const changes = this.#changes.get(set.name) ?? [];
      changes.push({ path, entry });
      this.#changes.set(set.name, changes);
    }
  }

  #fail(path: BytePath, code: 'changed' | 'refused', reason: string): void {
    const error = new ClusterError(code, `Cannot change "${displayPath(path)}": ${reason}`);
    this.failures.push({ path, error });
  }
}
