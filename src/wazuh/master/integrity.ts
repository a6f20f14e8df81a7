/**
 * Integrity, with one worker of the Wazuh protocol.
 *
 * The worker asks for permission, which it gets once in each round of the master's local-integrity;
 * then it sends the table of its files. Where that is equal to what is published it is told so,
 * otherwise it is sent an archive of what it lacks, with what it has too much. A worker that is in
 * step sends the very same bytes each time: they are not even unpacked then.
 */
import { type Deferred, deferred, withDeadline } from '../../base/async.ts';
import { type BytePath, type ByteString, fromBytes, toHex } from '../../base/bytes.ts';
import { ClusterError, describeError } from '../../base/errors.ts';
import type { Clock, Hashing, Random, Zlib } from '../../ports.ts';
import { type Answer, answering } from '../connection.ts';
import {
  clusterFailure,
  type Failure,
  failureText,
  internalFailure,
  WazuhFailure,
} from '../failure.ts';
import {
  compareTables,
  type FileRow,
  hasDirectoriesOf,
  isSame,
  readLongTable,
  type TableDifference,
  withoutConflicts,
} from '../file-table.ts';
import { IncomingFiles, sendFile } from '../file-transfer.ts';
import { replyTexts } from '../replies.ts';
import { newTaskName } from '../task-name.ts';
import { ArchiveBuilder } from './archive-builder.ts';
import { ArchiveLimit } from './archive-limit.ts';
import type { Peer } from './peer.ts';
import type { PublishedFiles, PublishedFilesTable } from './published-files.ts';
import { tableIn, type Upload, Uploads } from './uploads.ts';

/** What integrity needs. */
export interface IntegrityPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly zlib: Zlib;
  readonly published: PublishedFilesTable;
  /** Number of the last round of local-integrity that has ended. */
  readonly cycle: () => number;
  /** What could not be had for the published table is to be looked at again. */
  readonly retry: () => void;
  /** The worker's files were held against what is published. */
  readonly onCompared: () => void;
}

/** How long a worker may take for its archive, and for all of a check; ms. */
const uploadTimeoutMs = 120_000;
const checkTimeoutMs = 1_000_000;

/** Integrity with one worker. */
export class WorkerIntegrity {
  readonly #ports: IntegrityPorts;
  readonly #peer: Peer;
  readonly #uploads: Uploads;
  readonly #files: IncomingFiles;
  readonly #limit = new ArchiveLimit();
  #askedCycle: number | undefined;
  /** The check that goes on. */
  #check: Check | undefined;
  /** What is being sent, by the worker's task for it. */
  #sending: { readonly task: ByteString; isCancelled: boolean } | undefined;
  /** The archive that was found in step last. */
  #inStep:
    | { readonly digest: ByteString; readonly files: number; published: PublishedFiles }
    | undefined;

  constructor(ports: IntegrityPorts, peer: Peer) {
    this.#ports = ports;
    this.#peer = peer;
    this.#uploads = new Uploads(ports.hashing, peer.node);
    this.#files = new IncomingFiles(ports.hashing, this.#uploads);
    void peer.connection.closed.then(() => this.#files.close());
  }

  /** The answers to the worker. */
  answers(): readonly (readonly [string, Answer])[] {
    const refuse = () => {
      throw internalFailure('Files of workers are not accepted: no file set is extra valid');
    };
    return [
      ...this.#files.answers(),
      answering('syn_i_w_m_p', () => this.#isPermitted()),
      answering('syn_i_w_m', () => this.#begin()),
      answering('syn_i_w_m_e', ({ task, path }) => this.#uploaded(task, path)),
      answering('syn_i_w_m_r', ({ task, failure }) => this.#failed(task, failure)),
      answering('syn_e_w_m', refuse),
      answering('syn_e_w_m_e', refuse),
      answering('cancel_task', ({ task }) => this.#cancelled(task)),
    ];
  }

  // --- requests of the worker ----------------------------------------------------------------

  #isPermitted(): boolean {
    const cycle = this.#ports.cycle();
    const isFirst = cycle !== this.#askedCycle;
    this.#askedCycle = cycle;
    this.#ports.retry();
    return isFirst && this.#check === undefined && this.#ports.published.latest.value !== undefined;
  }

  #begin(): ByteString {
    // A worker that begins anew has given up waiting.
    if (this.#check?.hasUploaded === true) throw internalFailure('A check goes on already');
    this.#check?.upload.reject(new ClusterError('superseded', 'The worker began a new check'));
    const check: Check = {
      task: newTaskName(this.#ports.random),
      upload: deferred(),
      hasUploaded: false,
    };
    this.#check = check;
    this.#peer.health.isIntegrityFree = false;
    void this.#run(check);
    return check.task;
  }

  #uploaded(task: ByteString, path: BytePath): string {
    const check = this.#check;
    if (check === undefined || check.task !== task || check.hasUploaded) {
      throw clusterFailure(3027, task);
    }
    const upload = this.#uploads.take(path);
    if (upload === undefined) throw clusterFailure(3027, task);
    check.hasUploaded = true;
    check.upload.resolve(upload);
    return replyTexts.archive;
  }

  #failed(task: ByteString | undefined, failure: Failure): string {
    const check = this.#check;
    if (check !== undefined && !check.hasUploaded && (task ?? check.task) === check.task) {
      check.upload.reject(new WazuhFailure(failure));
    } else {
      this.#peer.log.log('error', `The worker could not synchronise: ${failureText(failure)}`);
    }
    return replyTexts.failure;
  }

  #cancelled(task: ByteString | undefined): string {
    if (this.#sending !== undefined && this.#sending.task === task) {
      this.#sending.isCancelled = true;
    }
    return replyTexts.cancel_task;
  }

  // --- a check -------------------------------------------------------------------------------

  async #run(check: Check): Promise<void> {
    const { clock } = this.#ports;
    const { connection, log, node } = this.#peer;
    try {
      const what = `The integrity check of ${node}`;
      await withDeadline(clock, checkTimeoutMs, what, connection.signal, async (signal) => {
        const upload = await this.#awaitUpload(check, signal);
        await this.#compare(upload, signal);
      });
    } catch (error) {
      if (!connection.signal.aborted) {
        log.child('Integrity check').log('error', describeError(error));
      }
    } finally {
      if (this.#check === check) {
        this.#check = undefined;
        this.#peer.health.isIntegrityFree = true;
      }
    }
  }

  async #awaitUpload({ task, upload }: Check, signal: AbortSignal): Promise<Upload> {
    const what = 'Waiting for the archive of the worker';
    try {
      return await withDeadline(
        this.#ports.clock,
        uploadTimeoutMs,
        what,
        signal,
        () => upload.promise,
      );
    } catch (error) {
      const isLate = error instanceof ClusterError && error.code === 'timeout';
      if (isLate && !signal.aborted) {
        const { failure } = clusterFailure(3039);
        await this.#peer.connection.request('cancel_task', { task, failure }, { signal });
      }
      throw error;
    }
  }

  async #compare(upload: Upload, signal: AbortSignal): Promise<void> {
    const { clock, zlib, published: { latest } } = this.#ports;
    const published = latest.value;
    if (published === undefined) throw new ClusterError('busy', 'Nothing is published yet');
    const { tell, health: { check } } = this.#peer;
    const startedMs = clock.monotonicMs();
    const startedAtMs = clock.nowMs();
    tell.checking();
    let hasDirectories = true;
    let [files, difference] = [this.#inStep?.files ?? 0, undefined as TableDifference | undefined];
    if (this.#inStep?.digest !== upload.digest || this.#inStep.published !== published) {
      const table = await readLongTable(await tableIn(zlib, upload), clock);
      files = table.size;
      difference = this.#ordered(compareTables(published.table, table), published);
      if (isSame(difference)) difference = undefined;
      else hasDirectories = hasDirectoriesOf(difference.missing, table);
    }
    check.startedMs = startedAtMs;
    check.endedMs = clock.nowMs();
    const isRequired = difference !== undefined;
    tell.checked(clock.monotonicMs() - startedMs, files, isRequired);
    this.#peer.isInStep = !isRequired;
    if (hasDirectories) this.#peer.hasDirectoriesOf = published.generation.number;
    this.#ports.onCompared();
    if (difference !== undefined) {
      // What has to wait is missing again in the worker's next check.
      return await this.#send(published, withoutConflicts(difference), signal);
    }
    this.#inStep = { digest: upload.digest, files, published };
    this.#peer.inStepWith = published.generation.number;
    await this.#peer.connection.request('syn_m_c_ok', undefined, { signal });
  }

  /** A difference without what the master does not decide about. */
  #ordered({ missing, extra, shared }: TableDifference, { open }: PublishedFiles): TableDifference {
    const decided = new Map<BytePath, FileRow>();
    for (const [path, row] of extra) {
      if (!open.has(path) && this.#ports.published.isMirrored(path)) decided.set(path, row);
    }
    return { missing, extra: decided, shared };
  }

  // --- sending -------------------------------------------------------------------------------

  async #send(
    published: PublishedFiles,
    difference: TableDifference,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random } = this.#ports;
    const { connection, node, tell, health: { sync } } = this.#peer;
    const startedMs = clock.monotonicMs();
    const startedAtMs = clock.nowMs();
    tell.synchronising(countsOf(difference));
    const task = await connection.request('syn_m_c', undefined, { signal });
    const name = `${node}-${clock.nowMs() / 1000}-${toHex(fromBytes(random.bytes(16)))}.zip`;
    const path = `queue/cluster/${node}/${name}`;
    try {
      sync.counts = await this.#sendArchive(task, path, { published, difference }, signal);
    } catch (error) {
      if (!signal.aborted) await this.#tellFailed(task, error, signal);
      throw error;
    }
    sync.startedMs = startedAtMs;
    sync.endedMs = clock.nowMs();
    tell.synchronised(clock.monotonicMs() - startedMs, sync.counts);
  }

  async #sendArchive(
    task: ByteString,
    path: BytePath,
    { published: { generation }, difference }: Sent,
    signal: AbortSignal,
  ) {
    const { clock, hashing, published } = this.#ports;
    const { connection, log } = this.#peer;
    const { contents } = published;
    const archive = new ArchiveBuilder({ ...this.#ports, log, contents }, {
      difference,
      entryOf: (file) => published.entryOf(generation, file),
      bytesMax: this.#limit.bytes,
    });
    const sending = this.#sending = { task, isCancelled: false };
    const startedMs = clock.monotonicMs();
    try {
      const isCancelled = () => sending.isCancelled;
      const options = { hashing, signal, isCancelled };
      const bytesCount = await sendFile(connection, `/${path}`, archive.pieces(signal), options);
      if (sending.isCancelled) {
        this.#limit.cancelled(bytesCount);
        throw new ClusterError('timeout', 'The worker gave up waiting for the archive');
      }
      this.#limit.sent(clock.monotonicMs() - startedMs);
      await connection.request('syn_m_c_e', { task, path }, { signal });
    } finally {
      this.#sending = undefined;
    }
    return countsOf(archive.difference);
  }

  /** Tells the worker that nothing comes, so that it does not wait. */
  async #tellFailed(task: ByteString, error: unknown, signal: AbortSignal): Promise<void> {
    const { failure } = error instanceof WazuhFailure
      ? error
      : internalFailure(describeError(error));
    await this.#peer.connection.request('syn_m_c_r', { task, failure }, { signal }).catch(() => {});
  }
}

/** A check of a worker's files. */
interface Check {
  readonly task: ByteString;
  readonly upload: Deferred<Upload>;
  hasUploaded: boolean;
}

interface Sent {
  readonly published: PublishedFiles;
  readonly difference: TableDifference;
}

function countsOf({ missing, extra, shared }: TableDifference) {
  return { missing: missing.size, extra: extra.size, shared: shared.size };
}
