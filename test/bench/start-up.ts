/** How long the program takes to be there, and to check a small tree. */
import { writeSampleTree } from '../e2e/sample-tree.ts';
import { alternate, type Case, measureMuster } from './harness.ts';
import { md5sum } from './scan.ts';
import { measure } from './processes.ts';
import { resultsTable } from './table.ts';

/** These are short enough for many turns, and vary more than long ones. */
const turnsFactor = 4;

export const startUp: Case = {
  name: 'start-up',
  summary: 'the shortest commands',
  run: async (bench) => {
    const roundsCount = bench.options.roundsCount * turnsFactor;
    const tree = bench.freshPath('tree');
    const filesCount = await writeSampleTree(tree);
    // The default sets are those that the sample is made for.
    const master = await bench.runningMaster(tree, '');
    const worker = await bench.worker(master);
    await worker.expect(0, 'sync', '--once');
    await bench.stopNodes();
    const nothing = { name: 'true', run: () => measure({ program: 'true', args: [] }) };
    const version = { name: 'muster version', run: () => measureMuster(undefined, ['version']) };
    const started = await alternate([version, nothing], roundsCount);
    const checked = await alternate([
      {
        name: 'muster check --offline',
        run: () => measureMuster(worker, ['check', '--offline']),
      },
      md5sum(worker.root),
    ], roundsCount);
    return {
      title: 'Start',
      parts: [
        `${roundsCount} turns of each. The time of a process that does nothing, \`true\`, is what ` +
        'the measurement itself takes.',
        resultsTable(started),
        `A worker's tree of ${filesCount} rules, decoders, lists and group files, compared byte ` +
        'by byte with the last applied generation:',
        resultsTable(checked),
      ],
    };
  },
};
