/** The operations of a node that is open in this process: daemon and one-shot commands alike. */
import { ClusterError } from '../base/errors.ts';
import { administrationAnswers, agentAnswers } from './agent-answers.ts';
import type { MasterNode } from './master.ts';
import type { Operations } from './operations.ts';
import type { WazuhWorkerNode } from './wazuh-worker.ts';
import type { WorkerNode } from './worker.ts';

/** What can be asked of a master. */
export function masterOperations(node: MasterNode): Operations {
  const { parts, groups, registry } = node.agents;
  const agents = { role: 'master', views: parts.views, source: node.agents, groups } as const;
  return {
    status: () => Promise.resolve(node.status()),
    sync: () => refuse('sync', 'worker'),
    check: (_, { signal }) => node.check(signal),
    approve: ({ set }) => Promise.resolve(node.approve(set)),
    versions: () => refuse('versions', 'worker'),
    rollback: () => refuse('rollback', 'worker'),
    token: ({ addresses, ...options }) =>
      Promise.resolve(node.membership.issueToken(addresses, options)),
    nodes: () => Promise.resolve(node.nodes()),
    revoke: (request) => Promise.resolve().then(() => node.revoke(request.node)),
    ...agentAnswers(agents),
    ...administrationAnswers({ ...agents, groups, registry }),
  };
}

/**
 * What can be asked of a worker, whichever protocol it speaks with its master.
 * @param withSession makes sure that there is a session with the master while the work runs
 */
export function workerOperations(
  node: WorkerNode | WazuhWorkerNode,
  withSession: <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>,
): Operations {
  const { parts, groups } = node.agents;
  return {
    status: () => Promise.resolve(node.status()),
    sync: ({ dryRun }, { signal, onProgress }) =>
      withSession(signal, () => node.sync({ dryRun }, signal, onProgress)),
    check: ({ offline }, { signal }) =>
      offline
        ? node.check({ offline }, signal)
        : withSession(signal, () => node.check({ offline }, signal)),
    approve: ({ set }) => Promise.resolve(node.approve(set)),
    versions: ({ path }) => Promise.resolve(node.versions(path)),
    rollback: (request) => node.rollback(request),
    token: () => refuse('token', 'master'),
    nodes: () => refuse('nodes', 'master'),
    revoke: () => refuse('nodes revoke', 'master'),
    ...agentAnswers({ role: 'worker', views: parts.views, source: node.agents, groups }),
    agentsAdd: () => refuse('agents add', 'master'),
    agentsRemove: () => refuse('agents remove', 'master'),
    groupsCreate: () => refuse('groups create', 'master'),
    groupsRemove: () => refuse('groups remove', 'master'),
    groupsAssign: () => refuse('groups assign', 'master'),
    groupsUnassign: () => refuse('groups unassign', 'master'),
  };
}

function refuse(operation: string, role: string): Promise<never> {
  const here = role === 'master' ? 'worker' : 'master';
  return Promise.reject(
    new ClusterError('refused', `"muster ${operation}" is for a ${role}, this node is a ${here}`, {
      remedy: `Run it on a ${role}`,
    }),
  );
}
