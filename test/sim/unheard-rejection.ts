/**
 * Forgets about a promise in a simulated world, and prints how the world fails.
 *
 * A program of its own: under a test runner, the runner would see the rejection first.
 */
import { World } from './world.ts';

const world = new World({ seed: 1 });
world.at(1, 'forgets a promise', () => {
  void Promise.reject(new Error('nobody listens'));
});
await world.run({ untilMs: 10 }).catch((error: unknown) => console.log(String(error)));
