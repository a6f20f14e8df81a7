/**
 * What a master has to say to an integrity check: that nothing differs, or an archive of what does.
 *
 *     syn_m_c_ok                              nothing to do
 *     syn_m_c          -->  task              an archive follows
 *     new_file … file_end                     taken apart while it comes
 *     syn_m_c_e task   -->                    that was it
 *     syn_m_c_r task failure                  the master could not send it
 *
 * One check at a time. What comes when nobody asked is refused: nothing is written without a round
 * that owns it.
 */
import { type Deferred, deferred, untilAborted } from '../../base/async.ts';
import type { BytePath, ByteString } from '../../base/bytes.ts';
import { ClusterError } from '../../base/errors.ts';
import type { Random } from '../../ports.ts';
import { type Answer, answering } from '../connection.ts';
import { clusterFailure, internalFailure, WazuhFailure } from '../failure.ts';
import type { FileOrders } from '../file-table.ts';
import type { FileReceiver, FileSink } from '../file-transfer.ts';
import { replyTexts } from '../replies.ts';
import { newTaskName } from '../task-name.ts';
import type { ArchiveIntake } from './archive-intake.ts';

/** What the master answers to a check; undefined where nothing differs. */
export type MasterAnswer = FileOrders | undefined;

interface Waiting {
  readonly question: Question;
  readonly intake: ArchiveIntake;
  readonly answer: Deferred<MasterAnswer>;
  task: ByteString | undefined;
  /** Whether an archive was begun: there is one for each task. */
  isSending: boolean;
  /** Whether there is nothing of it to come any more. */
  isOver: boolean;
  orders: FileOrders | undefined;
}

/** What goes on around the answer. */
export interface Question {
  /** Sends the check, when all is ready to take the answer in. */
  readonly send: () => Promise<void>;
  /** The master has compared; where something differs an archive follows. */
  readonly answered: (isSyncRequired: boolean) => void;
  /** The archive of a task is not waited for any more, though it is still being sent. */
  readonly cancel: (task: ByteString, error: unknown) => void;
}

/** Takes in what the master answers. */
export class SyncInbox {
  readonly #random: Random;
  readonly #directory: BytePath;
  #waiting: Waiting | undefined;

  constructor(random: Random, node: string) {
    this.#random = random;
    this.#directory = `queue/cluster/${node}/`;
  }

  /** Sends a check and waits for its answer. */
  async ask(
    intake: ArchiveIntake,
    question: Question,
    signal: AbortSignal,
  ): Promise<MasterAnswer> {
    const answer = deferred<MasterAnswer>();
    // Where the check cannot even be sent nobody waits for its answer.
    answer.promise.catch(() => {});
    const waiting: Waiting = {
      question,
      intake,
      answer,
      task: undefined,
      isSending: false,
      isOver: false,
      orders: undefined,
    };
    this.#waiting = waiting;
    try {
      await question.send();
      return await untilAborted(answer.promise, signal);
    } catch (error) {
      if (waiting.task !== undefined && !waiting.isOver) {
        question.cancel(waiting.task, error);
      }
      waiting.isOver = true;
      throw error;
    } finally {
      if (this.#waiting === waiting) this.#waiting = undefined;
      await intake.close();
    }
  }

  /** Answers to the master. */
  answers(): readonly (readonly [string, Answer])[] {
    return [
      answering('syn_m_c_ok', () => {
        this.#waiting?.question.answered(false);
        this.#waiting?.answer.resolve(undefined);
        return replyTexts.result;
      }),
      answering('syn_m_c', () => this.#begin()),
      answering('syn_m_c_e', ({ task }) => this.#end(task)),
      answering('syn_m_c_r', ({ failure }) => {
        if (this.#waiting !== undefined) this.#waiting.isOver = true;
        this.#waiting?.answer.reject(new WazuhFailure(failure));
        return replyTexts.failure;
      }),
      // The master waits no longer for our table.
      answering('cancel_task', ({ failure }) => {
        this.#waiting?.answer.reject(new WazuhFailure(failure));
        return replyTexts.cancel_task;
      }),
    ];
  }

  /** Takes in the archive of the task that was begun, and nothing else. */
  readonly receiver: FileReceiver = {
    open: (path) => {
      const waiting = this.#waiting;
      if (!path.startsWith(this.#directory) || waiting?.task === undefined || waiting.isSending) {
        return undefined;
      }
      waiting.isSending = true;
      return sinkOf(waiting);
    },
  };

  #begin(): ByteString {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.task !== undefined) {
      throw internalFailure('No integrity check is under way');
    }
    waiting.task = newTaskName(this.#random);
    waiting.question.answered(true);
    return waiting.task;
  }

  #end(task: ByteString): string {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.task !== task) throw clusterFailure(3027, task);
    waiting.isOver = true;
    if (waiting.orders !== undefined) waiting.answer.resolve(waiting.orders);
    else {waiting.answer.reject(
        new ClusterError('corrupt', 'The archive of the master is not whole'),
      );}
    return replyTexts.archive;
  }
}

// ---

function sinkOf(waiting: Waiting): FileSink {
  const { intake, answer } = waiting;
  const failing = async (work: () => Promise<void>): Promise<void> => {
    // What is still on its way when nobody waits any more is nobody's mistake.
    if (waiting.isOver) return;
    try {
      await work();
    } catch (error) {
      answer.reject(error);
      throw error;
    }
  };
  return {
    write: (bytes) => failing(() => intake.write(bytes)),
    finish: () =>
      failing(async () => {
        waiting.isOver = true;
        waiting.orders = await intake.finish();
      }),
    // The task ends without a whole archive then, and says so.
    discard: () => {},
  };
}
