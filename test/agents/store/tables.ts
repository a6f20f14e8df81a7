/** The tables of agents in a database of their own. */
import { agentMigrations, laterAgentMigrations } from '../../../src/agents/store/schema.ts';
import { migrate } from '../../../src/base/migrations.ts';
import type { Clock, Database } from '../../../src/ports.ts';
import { SimNetwork } from '../../sim/network.ts';
import { SimNode } from '../../sim/node.ts';
import { World } from '../../sim/world.ts';

/** Empty tables on a simulated machine, whose clock goes as `world` runs. */
export function openAgentTables(): { database: Database; clock: Clock; world: World } {
  const world = new World({ seed: 1 });
  const node = new SimNode(world, new SimNetwork(world), { name: 'node' });
  const { database, clock } = node.ports();
  migrate(database, [...agentMigrations, ...laterAgentMigrations]);
  return { database, clock, world };
}
