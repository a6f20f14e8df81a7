/**
 * The command line: from the arguments to the exit code.
 *
 * Never ends the process and never leaves an error unsaid. A signal aborts what is under way, which
 * then ends in order; a second one does not wait for that.
 */
import { deferred } from '../base/async.ts';
import { ClusterError } from '../base/errors.ts';
import { outputOptions, parseArguments } from './arguments.ts';
import { handlers } from './commands/registry.ts';
import { versionReport } from './commands/version.ts';
import { reportError } from './error-report.ts';
import { exitCodes } from './exit-codes.ts';
import { helpText } from './help.ts';
import type { Host, StopSignal } from './host.ts';
import { Output } from './output.ts';

/** Runs the command that the host's arguments name; the result is the exit code. */
export async function runCli(host: Host): Promise<number> {
  const output = new Output(host, outputOptions(host.argv));
  const controller = new AbortController();
  const impatience = deferred<number>();
  let stopped: StopSignal | undefined;
  const unlisten = host.onSignal((signal) => {
    if (stopped !== undefined) impatience.resolve(exitCodes.failure);
    stopped ??= signal;
    controller.abort(new ClusterError('aborted', `Stopped by ${signal.name}`));
  });
  try {
    const work = runCommand(host, output, controller.signal, () => signalCode(stopped));
    const exitCode = await Promise.race([work, impatience.promise]);
    return signalCode(stopped) ?? exitCode;
  } finally {
    unlisten();
  }
}

// ---------------------------------------------------------------------------------------------

/** Never rejects: what goes wrong is said, and becomes an exit code. */
async function runCommand(
  host: Host,
  output: Output,
  signal: AbortSignal,
  stoppedCode: () => number | undefined,
): Promise<number> {
  try {
    const request = parseArguments(host.argv);
    if (request.kind === 'version') return output.report(versionReport(host.buildInfo()));
    if (request.kind === 'help') {
      output.text(helpText(request.topic));
      return exitCodes.done;
    }
    const { invocation } = request;
    const handler = await handlers[invocation.name]();
    const report = await handler({ host, invocation, output, signal });
    return report === undefined ? exitCodes.done : output.report(report);
  } catch (error) {
    return reportError(output, error, stoppedCode());
  }
}

function signalCode(signal: StopSignal | undefined): number | undefined {
  return signal === undefined ? undefined : 128 + signal.number;
}
