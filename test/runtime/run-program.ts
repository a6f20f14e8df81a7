/** Runs a program of test/runtime/programs in a process of its own, on the runtime of the test. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import process from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { eventually } from './manual-clock.ts';

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** All that it wrote. */
  readonly output: string;
  readonly messages: string;
}

/** A running program. */
export interface Program {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Waits until it has written a text that comes after the one waited for before. */
  saying(text: string): Promise<void>;
  /** Waits for its end. */
  ending(): Promise<Ending>;
}

/** Starts a program without reading what it writes. */
export function spawnProgram(name: string, args: readonly string[]): Program['process'] {
  const [command = '', ...rest] = programCommand(name, args);
  return spawn(command, rest, { stdio: 'pipe' });
}

/** What starts a program on the runtime of the test. */
export function programCommand(name: string, args: readonly string[]): string[] {
  const file = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  const runtimeArgs = 'Deno' in globalThis ? ['run', '-A', '--no-check', '--quiet'] : [];
  return [process.execPath, ...runtimeArgs, file, ...args];
}

/** Starts a program. */
export function startProgram(name: string, args: readonly string[] = []): Program {
  const child = spawnProgram(name, args);
  let output = '';
  let messages = '';
  let heardUpTo = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (messages += text));
  const ended = new Promise<Ending>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output, messages }));
  });
  return {
    process: child,
    saying: async (text) => {
      await eventually(`the program says "${text}"`, () => output.includes(text, heardUpTo));
      heardUpTo = output.indexOf(text, heardUpTo) + text.length;
    },
    ending: () => ended,
  };
}

/** Runs a program to its end. */
export function runProgram(name: string, args: readonly string[] = []): Promise<Ending> {
  const program = startProgram(name, args);
  program.process.stdin.end();
  return program.ending();
}
