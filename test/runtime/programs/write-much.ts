/** Writes numbered lines to standard output and ends: `write-much.ts COUNT self|end`. */
import process from 'node:process';
import { endProcess, standardError, standardOutput } from '../../../src/runtime/system.ts';

const count = Number(process.argv[2]);
for (let number = 0; number < count; number++) {
  standardOutput.write(`${number} ${'x'.repeat(90)}\n`);
}
standardError.write(`${standardOutput.isTerminal} ${standardOutput.columns} done\n`);
if (process.argv[3] === 'end') await endProcess(5);
else process.exitCode = 5;
