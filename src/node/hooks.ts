/**
 * The operator's commands around a change: validation before, reload after, once per generation.
 */
import { displayText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { Logger, Processes } from '../ports.ts';

/** Settings of hooks. */
export interface HookOptions {
  /** Command and arguments; empty for none. */
  readonly validate: readonly string[];
  readonly reload: readonly string[];
  readonly timeoutMs: number;
}

/** What a hook is told, in its environment. */
export interface HookFacts {
  readonly node: string;
  readonly generation: number;
  /** Names of the sets that change. */
  readonly sets: readonly string[];
  readonly root: string;
}

/** Output of a failed hook that goes into the log, characters. */
const outputMax = 2_000;

/** Runs the operator's commands. */
export class Hooks {
  readonly #processes: Processes;
  readonly #options: HookOptions;

  constructor(processes: Processes, options: HookOptions) {
    this.#processes = processes;
    this.#options = options;
  }

  /**
   * Whether what is staged may be put in place. `stagingList` is a file with one line per staged
   * file: its path in the tree, a tab, and where its new content lies.
   * @throws ClusterError('hook')
   */
  async validate(facts: HookFacts, signal: AbortSignal): Promise<void> {
    await this.#run('validate', this.#options.validate, facts, signal);
  }

  /** Makes other programs take up what is in place now. Its failure is logged, nothing more. */
  async reload(facts: HookFacts, signal: AbortSignal, log: Logger): Promise<void> {
    try {
      await this.#run('reload', this.#options.reload, facts, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      log.log('error', (error as Error).message);
    }
  }

  async #run(
    kind: 'validate' | 'reload',
    command: readonly string[],
    facts: HookFacts,
    signal: AbortSignal,
  ): Promise<void> {
    if (command.length === 0) return;
    const { exitCode, output } = await this.#processes.run(command, {
      environment: {
        MUSTER_NODE: facts.node,
        MUSTER_GENERATION: String(facts.generation),
        MUSTER_SETS: facts.sets.join(' '),
        MUSTER_ROOT: facts.root,
      },
      timeoutMs: this.#options.timeoutMs,
      signal,
    });
    if (exitCode === 0) return;
    const text = displayText(output.slice(-outputMax).trim());
    throw new ClusterError('hook', `Hook ${kind} ended with code ${exitCode}: ${text}`);
  }
}
