/** Many files change at once, for more and more workers: what they cost their master. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { TestNode } from '../e2e/cluster.ts';
import { pause } from '../e2e/program.ts';
import { lineChart } from './chart.ts';
import { grow, memory, stepLimitMs } from './fleet.ts';
import type { Case, Picture } from './harness.ts';
import { DaemonWatch } from './processes.ts';
import { count, duration, size } from './table.ts';
import { treePath, treeText, wordsFrom, writeTree } from './tree.ts';

/** Pause between two looks at who is in step, ms. */
const arrivalLookMs = 100;

/** A master that has published nothing for so long has published all that was changed, ms. */
const settledMs = 3_000;

export const fanOut: Case = {
  name: 'fan-out',
  summary: 'many files changed at once, for more and more workers',
  run: async (bench) => {
    const { isQuick, hasPictures } = bench.options;
    const filesCount = isQuick ? 500 : 10_000;
    const fleets = isQuick ? [2, 4] : [10, 25, 50, 100];
    const tree = join(memory, `muster-fan-out-${process.pid}`);
    const found: {
      readonly workersCount: number;
      readonly cpuMs: number;
      readonly row: string[];
    }[] = [];
    // A fleet at a time, from nothing: 100 workers that have been through several changes take more
    // memory, their trees and kept versions included, than most machines have.
    for (const workersCount of fleets) {
      try {
        writeTree(join(tree, 'master'), filesCount);
        const master = await bench.runningMaster(join(tree, 'master'));
        const workers: TestNode[] = [];
        await grow(bench, master, workers, workersCount, tree);
        found.push(await changeAll(master, workers, filesCount));
      } finally {
        await bench.stopNodes();
        rmSync(tree, { recursive: true, force: true });
      }
    }
    return {
      title: 'Fan-out',
      parts: [
        `${count(filesCount)} files of a tree change at once, and all workers get them. Each ` +
        'worker is a process of its own; all that is theirs is in memory, each fleet begins from ' +
        'nothing, and all processes share the processors of this one machine, so that the time ' +
        'says little and the CPU of the master much. What it reads, hashes and packs it does once ' +
        'for all.',
        {
          head: [
            'workers',
            'first in step',
            'last in step',
            'CPU of master',
            'CPU of master for each worker',
            'peak RSS of master',
          ],
          rows: found.map(({ row }) => row),
        },
      ],
      picture: hasPictures ? picture(found) : undefined,
    };
  },
};

// ---

async function changeAll(master: TestNode, workers: readonly TestNode[], filesCount: number) {
  const before = (await master.status()).generation!;
  const words = wordsFrom(before);
  const watch = new DaemonWatch(master.daemon.pid);
  const startMs = performance.now();
  for (let index = 0; index < filesCount; index++) {
    const path = treePath(master.root, index);
    writeFileSync(path, treeText(words, `${path} ${before}`));
  }
  const timesMs = await arrivals(master, workers.length, { before, startMs });
  const { cpuMs, rssBytes } = await watch.end();
  const row = [
    count(workers.length),
    duration(Math.min(...timesMs)),
    duration(Math.max(...timesMs)),
    duration(cpuMs),
    duration(cpuMs / workers.length),
    size(rssBytes!),
  ];
  console.error(`  ${row.join(' | ')}`);
  // What was measured is that all of it arrived: nobody has to look while it is.
  assert.equal(await master.published(stepLimitMs), (await master.status()).generation);
  return { workersCount: workers.length, cpuMs, row };
}

/** When each worker had the last of the generations that follow one, ms after the start. */
async function arrivals(
  master: TestNode,
  workersCount: number,
  { before, startMs }: { readonly before: number; readonly startMs: number },
): Promise<number[]> {
  const timesMs = new Map<string, number>();
  let latest = before;
  for (let quietMs = startMs;;) {
    const { generation, peers } = await master.status();
    const nowMs = performance.now();
    if (nowMs - startMs > stepLimitMs) throw new Error(`Only ${timesMs.size} are in step`);
    if (generation !== latest) {
      latest = generation!;
      quietMs = nowMs;
      timesMs.clear();
    }
    for (const { node, in_sync: isInSync } of peers) {
      if (latest > before && isInSync === true && !timesMs.has(node)) {
        timesMs.set(node, nowMs - startMs);
      }
    }
    if (timesMs.size === workersCount && nowMs - quietMs > settledMs) return [...timesMs.values()];
    await pause(arrivalLookMs);
  }
}

function picture(
  found: readonly { readonly workersCount: number; readonly cpuMs: number }[],
): Picture {
  const title = 'Fan-out: CPU seconds of the master for each worker, over their number';
  const points = found.map(({ workersCount, cpuMs }) => ({
    x: workersCount,
    y: cpuMs / workersCount / 1000,
  }));
  return {
    fileName: 'fan-out.svg',
    alt: title,
    svg: lineChart({ title, lines: [{ name: 'muster', points }] }),
  };
}
