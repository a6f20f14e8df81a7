/** Agents for tests. */
import { type AgentFacts, textColumnNames } from '../../src/agents/agent.ts';

/** Facts of an agent about which nothing is known but what is given. */
export function factsOf(given: Partial<AgentFacts> = {}): AgentFacts {
  const texts = Object.fromEntries(textColumnNames.map((name) => [name, null]));
  return {
    ...texts as Record<(typeof textColumnNames)[number], null>,
    labels: [],
    last_keepalive: null,
    connection_status: 'never_connected',
    disconnection_time: 0,
    status_code: 0,
    ...given,
  };
}
