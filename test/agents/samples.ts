/** Agents for tests. */
import { type AgentData, type AgentFacts, textColumnNames } from '../../src/agents/agent.ts';

/** Data of an agent about which nothing is known but what is given. */
export function dataOf(given: Partial<AgentData> = {}): AgentData {
  const texts = Object.fromEntries(textColumnNames.map((name) => [name, null]));
  return { ...texts as Record<(typeof textColumnNames)[number], null>, labels: [], ...given };
}

/** The same with its status. */
export function factsOf(given: Partial<AgentFacts> = {}): AgentFacts {
  return {
    ...dataOf(),
    last_keepalive: null,
    connection_status: 'never_connected',
    disconnection_time: 0,
    status_code: 0,
    ...given,
  };
}
