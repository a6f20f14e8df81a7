/** A simulated clock on its own, for tests that need time and nothing else. */
import type { Clock } from '../../src/ports.ts';
import { MachineClock, SimClock } from '../sim/clock.ts';
import { Life } from '../sim/life.ts';
import { World } from '../sim/world.ts';

/** A clock and the world that moves it; `world.openHandles()` are the sleeps that are pending. */
export function simClock(seed = 1): { world: World; clock: Clock } {
  const world = new World({ seed });
  const life = new Life(world, 'node');
  const random = world.random.fork('clock');
  const machine = new MachineClock(() => world.nowMs, random, {});
  return { world, clock: new SimClock(life, machine, random) };
}
