/**
 * The operator's commands around a change: validation before, reload after, once per generation.
 *
 * Both learn what changes from their environment. The validation command can look at the new files
 * before they are in place: its standard input has one line for each, the absolute path of the new
 * content, a tab, and the path in the tree that it is for; removed files have nothing before the
 * tab. Paths are UTF-8 with control characters and other bytes escaped.
 */
import { displayPath, displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Logger, Processes } from '../ports.ts';
import type { HookedChange, RoundHooks } from '../tasks/integrity/execution.ts';

/** Settings of hooks. */
export interface HookOptions {
  /** Command and arguments; empty for none. */
  readonly validate: readonly string[];
  readonly reload: readonly string[];
  readonly timeoutMs: number;
}

/** Where the change is made. */
export interface HookPlace {
  readonly node: string;
  /** The managed tree, absolute. */
  readonly root: string;
  /** Directory of staged contents, absolute. */
  readonly staging: string;
}

/** Output of a failed hook that goes into the log, characters. */
const outputMax = 2_000;

/** Runs the operator's commands. */
export class Hooks implements RoundHooks {
  readonly #ports: { readonly processes: Processes; readonly log: Logger };
  readonly #options: HookOptions;
  readonly #place: HookPlace;

  constructor(
    ports: { readonly processes: Processes; readonly log: Logger },
    options: HookOptions,
    place: HookPlace,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#place = place;
  }

  get hasValidation(): boolean {
    return this.#options.validate.length > 0;
  }

  /** @throws ClusterError('hook') where what is staged may not be put in place */
  async validate(change: HookedChange, signal: AbortSignal): Promise<void> {
    const { staging } = this.#place;
    const lines = [
      ...change.staged.map(({ path, stagedName }) =>
        `${staging}/${stagedName}\t${displayPath(path)}`
      ),
      ...change.removed.map((path) => `\t${displayPath(path)}`),
    ];
    const input = lines.map((line) => `${line}\n`).join('');
    await this.#run('validate', change, signal, input);
  }

  /** Makes other programs take up what is in place now. Its failure is logged, nothing more. */
  async reload(change: HookedChange, signal: AbortSignal): Promise<void> {
    try {
      await this.#run('reload', change, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#ports.log.log('error', (error as Error).message);
    }
  }

  async #run(
    kind: 'validate' | 'reload',
    change: HookedChange,
    signal: AbortSignal,
    input?: string,
  ): Promise<void> {
    const command = this.#options[kind];
    if (command.length === 0) return;
    const { exitCode, output } = await this.#ports.processes.run(command, {
      environment: {
        MUSTER_NODE: this.#place.node,
        MUSTER_GENERATION: String(change.generation),
        MUSTER_SETS: change.sets.join(' '),
        MUSTER_ROOT: this.#place.root,
      },
      ...(input === undefined ? {} : { input }),
      timeoutMs: this.#options.timeoutMs,
      signal,
    });
    if (exitCode === 0) return;
    const text = displayText(output.slice(-outputMax).trim());
    throw new ClusterError('hook', `Hook ${kind} ended with code ${exitCode}: ${text}`);
  }
}
