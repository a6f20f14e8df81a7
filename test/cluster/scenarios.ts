/** Scenarios of whole clusters, for `npm run simulate` and for tests over many seeds. */
import type { Scenario } from '../sim/scenarios.ts';
import { agentReports } from './agent-reports.ts';
import { clusterTrouble } from './trouble.ts';

/** The scenarios of real masters and workers. */
export const clusterScenarios: readonly Scenario[] = [
  {
    name: 'cluster-trouble',
    summary: 'A master and three workers converge after edits and faults of every kind',
    run: clusterTrouble,
  },
  {
    name: 'agent-reports',
    summary: 'What agents report through trouble reaches the master, and nothing older replaces it',
    run: agentReports,
  },
];
