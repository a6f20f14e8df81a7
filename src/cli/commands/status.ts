/**
 * `muster status`: how the running daemon is doing, once or again and again.
 */
import { codeOf, describeError } from '../../base/errors.ts';
import type { Config } from '../../config/config.ts';
import type { StatusDocument } from '../../node/documents.ts';
import {
  type Context,
  type Handler,
  loadNodeConfig,
  nextCommand,
  withOperations,
} from '../context.ts';
import type { OpenedOperations } from '../host.ts';
import { statusScreen } from '../status-screen.ts';
import { type Line, styled } from '../styled-text.ts';
import { UsageError } from '../usage-error.ts';

/** Pause between two looks, ms. */
const refreshMs = 1000;

export const status: Handler = async (context) => {
  const { invocation, signal } = context;
  if (invocation.has('watch')) return await watch(context);
  const config = await loadNodeConfig(context);
  const document = await withOperations(
    context,
    config,
    'daemon',
    (operations) => operations.status({}, { signal }),
  );
  return { document, lines: screenOf(context, document), isAsked: true };
};

// ---------------------------------------------------------------------------------------------

function screenOf({ host, invocation, output }: Context, document: StatusDocument): Line[] {
  return statusScreen(document, {
    nowMs: host.clock.nowMs(),
    columns: output.columns,
    nextCommand: (words) => nextCommand(invocation, words),
  });
}

/** Shows the status again and again, until the signal is aborted; a restart is waited for. */
async function watch(context: Context): Promise<undefined> {
  const { output, signal } = context;
  if (!output.isJson && !output.canMove.stdout) {
    throw new UsageError(
      'There is no terminal on which --watch could show anything',
      'Use "muster status --watch --json" to follow the status in a program',
    );
  }
  const config = await loadNodeConfig(context);
  const observer = new Observer(context, config);
  const show = output.isJson ? jsonFollower(context) : screenFollower(context);
  try {
    // Where there is no daemon to begin with, somebody has the wrong directory.
    show(await observer.look());
    while (await isNextDue(context)) {
      try {
        show(await observer.look());
      } catch (error) {
        if (codeOf(error) !== 'unreachable') throw error;
        if (!output.isJson) output.screen([[styled('red', describeError(error))]], false);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await observer.close();
  }
  return undefined;
}

/** Waits for the next look; false where there is to be none. */
async function isNextDue({ host, signal }: Context): Promise<boolean> {
  await host.clock.sleep(refreshMs, signal).catch(() => {});
  return !signal.aborted;
}

/** Asks the daemon again and again, over one connection as long as that lasts. */
class Observer {
  readonly #context: Context;
  readonly #config: Config;
  #opened: OpenedOperations | undefined;

  constructor(context: Context, config: Config) {
    this.#context = context;
    this.#config = config;
  }

  async look(): Promise<StatusDocument> {
    const { host, signal } = this.#context;
    this.#opened ??= await host.openOperations(this.#config, { needs: 'daemon', signal });
    try {
      return await this.#opened.operations.status({}, { signal });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.close();
  }
}

function screenFollower(context: Context): (document: StatusDocument) => void {
  let isFirst = true;
  return (document) => {
    context.output.screen(screenOf(context, document), isFirst);
    isFirst = false;
  };
}

function jsonFollower({ output }: Context): (document: StatusDocument) => void {
  let last = '';
  return (document) => {
    const text = JSON.stringify(document, withoutCounters);
    if (text === last) return;
    last = text;
    output.documentLine(document);
  };
}

/** Fields that differ at every look, although nothing has happened. */
const counters: ReadonlySet<string> = new Set([
  'last_heard_ms_ago',
  'clock_skew_ms',
  'round_trip_ms',
  'bytes_received',
  'bytes_sent',
  'longest_loop_hold_ms',
]);

function withoutCounters(key: string, value: unknown): unknown {
  return counters.has(key) ? undefined : value;
}
