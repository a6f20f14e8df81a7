/**
 * Large files that change in parts, under faults of every kind: cuts and power failures come in the
 * middle of what is put together from blocks, and the old content changes meanwhile.
 */
import { concatBytes } from '../../src/base/bytes.ts';
import type { SeededRandom } from '../sim/random.ts';
import type { World } from '../sim/world.ts';
import { clusterTrouble, type Trouble } from './trouble.ts';

const directory = 'etc/lists';
const filesCount = 1;
const bytesMin = 4_300_000;
const bytesMax = 5_500_000;

/** Runs a cluster with large files through trouble. */
export function largeFiles(world: World): Promise<void> {
  // Some seconds for a whole file, so that much happens while one is on its way.
  return clusterTrouble(world, { workersCount: 1, link: { bytesPerMs: 3000 } }, [
    editLarge,
    editLarge,
    tamperLarge,
  ]);
}

const editLarge: Trouble = ({ master: { operator } }, random) => {
  const path = largePath(random);
  const before = operator.read(path);
  const content = before === undefined
    ? random.bytes(random.integer(bytesMin, bytesMax))
    : edited(before, random);
  operator.write(path, content, { isReplacing: random.chance(0.7) });
};

/** Somebody changes a worker's file, perhaps while it is copied from. */
const tamperLarge: Trouble = ({ workers }, random) => {
  const { operator } = random.pick(workers);
  const path = largePath(random);
  const before = operator.read(path);
  if (before !== undefined) operator.write(path, edited(before, random));
};

function largePath(random: SeededRandom): string {
  return `${directory}/large-${random.integer(1, filesCount)}`;
}

/** A content in which a stretch was inserted, removed or replaced, or two have changed places. */
function edited(content: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.integer(0, content.length);
  const count = Math.min(random.integer(1, 200_000), content.length - at);
  const [head, stretch, tail] = [
    content.subarray(0, at),
    content.subarray(at, at + count),
    content.subarray(at + count),
  ];
  const parts = random.pick([
    [head, random.bytes(count), stretch, tail],
    [head, tail],
    [head, random.bytes(count), tail],
    [tail, stretch, head],
  ]);
  const changed = concatBytes(parts);
  return changed.subarray(0, bytesMax);
}
