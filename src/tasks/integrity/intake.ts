/**
 * What the worker does with contents as they arrive: small ones are gathered in memory and staged
 * batch by batch, large ones are streamed into staging and kept for later when the line is cut.
 */
import { concatBytes, displayPath } from '../../base/bytes.ts';
import { ClusterError, codeOf, describeError } from '../../base/errors.ts';
import type {
  Applier,
  ApplyFailure,
  Incoming,
  IncomingContent,
  IncomingFile,
} from '../../files/apply.ts';
import type { AbsenceReason } from '../../files/bundle.ts';
import { type ContentSink, smallFileBytesMax, type WantedContent } from './transfer.ts';

/** A content that is wanted, and what it is to become. */
export interface WantedFile extends WantedContent {
  readonly incoming: Incoming;
}

const reasonTexts: Readonly<Record<AbsenceReason, string>> = {
  changed: 'it changes on the master right now: the next round brings it',
  vanished: 'it vanished on the master: the next round takes that up',
  unreadable: 'the master cannot read it, see its log',
  unknown: 'the master has another version by now: the next round brings it',
};

/** Takes in the contents of one batch. */
export class Intake implements ContentSink {
  readonly failures: ApplyFailure[] = [];
  readonly #applier: Applier;
  readonly #onBytes: (bytes: number) => void;
  #small: IncomingContent[] = [];
  #parts: Uint8Array[] = [];
  #large: IncomingFile | undefined;

  /** @param onBytes called with the number of content bytes that have just arrived */
  constructor(applier: Applier, onBytes: (bytes: number) => void) {
    this.#applier = applier;
    this.#onBytes = onBytes;
  }

  /**
   * Where the transfer has to start. A large content, which is always a batch by itself, gets its
   * staged file opened here and starts where the last attempt ended. Undefined for one that may not
   * be brought in: that is a failure of this file alone.
   */
  async prepare(wanted: WantedFile): Promise<number | undefined> {
    if (wanted.entry.size <= smallFileBytesMax) return 0;
    try {
      const large = await this.#applier.stage(wanted.incoming);
      this.#large = large;
      return large.offset;
    } catch (error) {
      if (codeOf(error) !== 'refused') throw error;
      this.failures.push({ path: wanted.entry.path, error: error as Error });
      return undefined;
    }
  }

  /**
   * Has the large content that was prepared put together by `work`, which gives whether all its
   * bytes are there. Gives where a transfer still has to start; undefined where none has to.
   */
  async assemble(
    wanted: WantedFile,
    work: (file: IncomingFile) => Promise<boolean>,
  ): Promise<number | undefined> {
    const large = this.#large!;
    if (!await work(large)) return large.position;
    this.#large = undefined;
    try {
      await large.finish();
      return undefined;
    } catch (error) {
      if (codeOf(error) !== 'corrupt') throw error;
      return await this.prepare(wanted); // from the beginning: what came is dropped
    }
  }

  begin(): undefined {
    this.#parts = [];
    return undefined;
  }

  bytes(wanted: WantedContent, bytes: Uint8Array): Promise<void> | undefined {
    this.#onBytes(bytes.length);
    if (this.#large !== undefined) return this.#large.write(bytes);
    if (wanted.entry.size > 0) this.#parts.push(bytes.slice()); // it waits for the batch
    return undefined;
  }

  end(wanted: WantedContent): Promise<void> | undefined {
    if (this.#large !== undefined) return this.#endLarge(this.#large, wanted);
    const { incoming } = wanted as WantedFile;
    this.#small.push({ ...incoming, bytes: concatBytes(this.#parts) });
    return undefined;
  }

  async absent(wanted: WantedContent, reason: AbsenceReason): Promise<void> {
    const { path } = wanted.entry;
    const error = new ClusterError(
      'changed',
      `Cannot fetch "${displayPath(path)}": ${reasonTexts[reason]}`,
    );
    this.failures.push({ path, error });
    const large = this.#large;
    this.#large = undefined;
    await large?.discard();
  }

  /** Stages what was gathered. */
  async stage(): Promise<void> {
    const small = this.#small;
    this.#small = [];
    this.failures.push(...await this.#applier.stageSmall(small));
  }

  /** To be called in any case: keeps what has come of a large content that is not whole. */
  async close(): Promise<void> {
    const large = this.#large;
    this.#large = undefined;
    await large?.suspend();
  }

  async #endLarge(large: IncomingFile, wanted: WantedContent): Promise<void> {
    this.#large = undefined;
    try {
      await large.finish();
    } catch (error) {
      if (codeOf(error) !== 'corrupt') throw error;
      this.failures.push({ path: wanted.entry.path, error: error as Error });
    }
  }
}

/** One line about a file that was left out. */
export function failureText(failure: ApplyFailure): string {
  return describeError(failure.error);
}
