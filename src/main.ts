/** Entry of the program: the command line on the real machine. */
import { describeError } from './base/errors.ts';
import { systemHost } from './app/host.ts';
import { runCli } from './cli/run-cli.ts';
import { endProcess, onCrash, standardError } from './runtime/system.ts';

onCrash((error) => {
  standardError.write(`muster: this is a defect: ${error.stack ?? describeError(error)}\n`);
});

await endProcess(await runCli(systemHost()));
