/**
 * Which handler runs which command of the table. Each is loaded when it is asked for: what a command
 * does not need does not make it slower.
 */
import type { CommandName } from '../command-table.ts';
import type { Handler } from '../context.ts';

/** Loads the handler of every command. */
export const handlers: Readonly<Record<CommandName, () => Promise<Handler>>> = {
  init: async () => (await import('./init.ts')).init,
  token: async () => (await import('./token.ts')).token,
  join: async () => (await import('./join.ts')).join,
  run: async () => (await import('./run.ts')).run,
  sync: async () => (await import('./sync.ts')).sync,
  check: async () => (await import('./check.ts')).check,
  diff: async () => (await import('./check.ts')).diff,
  status: async () => (await import('./status.ts')).status,
  'agents list': async () => (await import('./agents.ts')).agentsList,
  'agents show': async () => (await import('./agents.ts')).agentsShow,
  'agents add': async () => (await import('./agents.ts')).agentsAdd,
  'agents remove': async () => (await import('./agents.ts')).agentsRemove,
  'agents report': async () => (await import('./agents-report.ts')).agentsReport,
  'groups list': async () => (await import('./groups.ts')).groupsList,
  'groups show': async () => (await import('./groups.ts')).groupsShow,
  'groups create': async () => (await import('./groups.ts')).groupsCreate,
  'groups remove': async () => (await import('./groups.ts')).groupsRemove,
  'groups assign': async () => (await import('./groups.ts')).groupsAssign,
  'groups unassign': async () => (await import('./groups.ts')).groupsUnassign,
  approve: async () => (await import('./approve.ts')).approve,
  rollback: async () => (await import('./rollback.ts')).rollback,
  versions: async () => (await import('./versions.ts')).versions,
  'cert show': async () => (await import('./cert.ts')).certShow,
  'nodes list': async () => (await import('./nodes.ts')).nodesList,
  'nodes revoke': async () => (await import('./nodes.ts')).nodesRevoke,
  'config check': async () => (await import('./config.ts')).configCheck,
  'config show': async () => (await import('./config.ts')).configShow,
  'config schema': async () => (await import('./config.ts')).configSchema,
  doctor: async () => (await import('./doctor.ts')).doctor,
  completion: async () => (await import('./completion.ts')).completion,
  version: async () => (await import('./version.ts')).version,
};
