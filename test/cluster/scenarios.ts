/** Scenarios of whole clusters, for `npm run simulate` and for tests over many seeds. */
import type { Scenario } from '../sim/scenarios.ts';
import { agentReports } from './agent-reports.ts';
import { groupMarathon, groupTrouble } from './group-trouble.ts';
import { largeFiles } from './large-files.ts';
import { clusterTrouble } from './trouble.ts';

/** The scenarios of real masters and workers. */
export const clusterScenarios: readonly Scenario[] = [
  {
    name: 'cluster-trouble',
    summary: 'A master and three workers converge after edits and faults of every kind',
    run: (world) => clusterTrouble(world),
  },
  {
    name: 'large-files',
    summary: 'The same with large files that change in parts, over a line that takes its time',
    run: largeFiles,
  },
  {
    name: 'agent-reports',
    summary: 'What agents report through trouble reaches the master, and nothing older replaces it',
    run: agentReports,
  },
  {
    name: 'group-trouble',
    summary: 'All nodes end with the same groups after changes and faults of every kind',
    run: groupTrouble,
  },
  {
    name: 'wazuh-trouble',
    summary: 'Native and Wazuh workers converge after edits and faults of every kind',
    run: (world) => clusterTrouble(world, { workersCount: 1, wazuhWorkersCount: 2 }),
  },
];

/** Those that take too long for the tests. */
export const longScenarios: readonly Scenario[] = [
  {
    name: 'group-marathon',
    summary: 'The same after ten thousand operations',
    run: groupMarathon,
  },
];
