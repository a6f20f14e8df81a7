/**
 * Which handler runs which command of the table.
 */
import type { CommandName } from '../command-table.ts';
import type { Handler } from '../context.ts';
import { agentsList, agentsShow } from './agents.ts';
import { agentsReport } from './agents-report.ts';
import { approve } from './approve.ts';
import { certShow } from './cert.ts';
import { check, diff } from './check.ts';
import { completion } from './completion.ts';
import { configCheck, configSchema, configShow } from './config.ts';
import { doctor } from './doctor.ts';
import { init } from './init.ts';
import { join } from './join.ts';
import { nodesList, nodesRevoke } from './nodes.ts';
import { rollback } from './rollback.ts';
import { run } from './run.ts';
import { status } from './status.ts';
import { sync } from './sync.ts';
import { token } from './token.ts';
import { version } from './version.ts';
import { versions } from './versions.ts';

/** The handler of every command. */
export const handlers: Readonly<Record<CommandName, Handler>> = {
  init,
  token,
  join,
  run,
  sync,
  check,
  diff,
  status,
  'agents list': agentsList,
  'agents show': agentsShow,
  'agents report': agentsReport,
  approve,
  rollback,
  versions,
  'cert show': certShow,
  'nodes list': nodesList,
  'nodes revoke': nodesRevoke,
  'config check': configCheck,
  'config show': configShow,
  'config schema': configSchema,
  doctor,
  completion,
  version,
};
