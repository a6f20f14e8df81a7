/**
 * The Processes port of a simulated node.
 *
 * No command is ever run: it does what the test says it does, takes its virtual time, and is noted.
 */
import { untilAborted } from '../../src/base/async.ts';
import { ClusterError } from '../../src/base/errors.ts';
import type { Processes } from '../../src/ports.ts';
import type { Life } from './life.ts';

/** What a command does. */
export interface ScriptedResult {
  /** @default 0 */
  readonly exitCode?: number;
  /** @default '' */
  readonly output?: string;
  /** How long it takes. @default 10 */
  readonly durationMs?: number;
}

/** A command that was run. */
export interface CommandCall {
  readonly atMs: number;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string | undefined;
}

/** The commands of a machine: what they do, and which were run. */
export class CommandScript {
  readonly calls: CommandCall[] = [];
  /** Decides what a command does; it may look at, or change, the disk. */
  answer: (command: readonly string[]) => ScriptedResult = () => ({});
}

/** The port: runs commands as the script of the machine has them. */
export function scriptedProcesses(life: Life, script: CommandScript): Processes {
  return {
    run: async (command, options) => {
      life.mustBeAlive();
      const { environment, input, timeoutMs } = options;
      script.calls.push({ atMs: life.world.nowMs, command, environment, input });
      const { exitCode = 0, output = '', durationMs = 10 } = script.answer(command);
      const what = `runs ${command.join(' ')}`;
      const running = life.operation(what, Math.min(durationMs, timeoutMs), () => {
        if (durationMs <= timeoutMs) return { exitCode, output };
        throw new ClusterError('timeout', `Command "${command[0]}" took over ${timeoutMs} ms`);
      });
      return untilAborted(running, options.signal);
    },
  };
}
