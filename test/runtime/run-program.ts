/** Runs a program of test/runtime/programs in a process of its own, on the runtime of the test. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A running program. */
export type Program = ChildProcessByStdio<Writable, Readable, Readable>;

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly messages: string;
}

/** Starts a program. */
export function startProgram(
  name: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Program {
  const file = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  const runtimeArgs = 'Deno' in globalThis ? ['run', '-A', '--no-check', '--quiet'] : [];
  return spawn(process.execPath, [...runtimeArgs, file, ...args], {
    stdio: 'pipe',
    env: { ...process.env, ...environment },
  });
}

/** Waits for a program's end and collects what it wrote. */
export async function endOf(program: Program): Promise<Ending> {
  let output = '';
  let messages = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  program.stderr.setEncoding('utf8').on('data', (text: string) => (messages += text));
  const [code, signal] = await once(program, 'close') as [number | null, NodeJS.Signals | null];
  return { code, signal, output, messages };
}

/** Runs a program to its end. */
export function runProgram(...start: Parameters<typeof startProgram>): Promise<Ending> {
  const program = startProgram(...start);
  program.stdin.end();
  return endOf(program);
}

/** Waits until a program has written a line that contains `text`. */
export async function saying(program: Program, text: string): Promise<void> {
  let said = '';
  for await (const chunk of program.stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes(text)) return;
  }
  throw new Error(`It ended without "${text}", saying: ${said}`);
}
