/**
 * The tables of agents; see base/migrations.ts. Columns have the names that users of the original
 * know. All SQL about them is in this folder.
 *
 * `registration`: the agents that exist, and for a while those that were removed, so that a late
 * report does not bring one back. On a worker it follows the keys file and the master's assignments.
 *
 * `agent_record`: what was reported. `data` are all texts and labels as they travel (see
 * agents/data-codec.ts): binding and reading eighteen columns takes three times as long as the rest of
 * a row. The view `agent` has them as columns, for people; muster itself reads the table.
 * `node_order_ms` orders the records of
 * one agent from one node's database (`node_epoch`), `order_ms` those of different nodes by the master's
 * clock; see agents/record-order.ts. `pending` is what the master has not confirmed: 0 nothing, 1 the
 * status, 2 all. `refusal`: 1 where the master does not know the agent, 2 where it is to be asked once more.
 *
 * `assignment`: the groups of every agent that exists, comma-separated in their order; NULL where
 * the agent was removed. `snapshot` is the number of the snapshot with which the row was published
 * last, 0 where that is still to come. `is_calculated` is 0 until the agent has had its first groups.
 */
import { connectionStatuses, textColumnNames } from '../agent.ts';

const statuses = connectionStatuses.map((status) => `'${status}'`).join(', ');

/** The columns of `agent` that are about its status, its order and its marks. */
const statusColumns = `last_keepalive INTEGER,
     connection_status TEXT NOT NULL CHECK (connection_status IN (${statuses})),
     disconnection_time INTEGER NOT NULL,
     status_code INTEGER NOT NULL,
     node_name TEXT NOT NULL, node_epoch TEXT NOT NULL,
     node_order_ms REAL NOT NULL, order_ms REAL NOT NULL,
     pending INTEGER NOT NULL, refusal INTEGER NOT NULL`;

const statusColumnNames = 'last_keepalive, connection_status, disconnection_time, status_code, ' +
  'node_name, node_epoch, node_order_ms, order_ms, pending, refusal';

const indexesOf = (table: string) =>
  `CREATE INDEX agent_pending ON ${table} (id) WHERE pending > 0 AND refusal <> 1;
   CREATE INDEX agent_refused ON ${table} (connection_status, node_name) WHERE refusal > 0;
   CREATE INDEX agent_status ON ${table} (connection_status, node_name);`;

export const agentMigrations: readonly string[] = [
  `CREATE TABLE registration (
     id INTEGER PRIMARY KEY, name TEXT NOT NULL, ip TEXT, date_add INTEGER NOT NULL,
     source TEXT NOT NULL CHECK (source IN ('keys', 'command', 'removed'))
   ) STRICT;
   CREATE TABLE agent (
     id INTEGER PRIMARY KEY,
     ${textColumnNames.map((name) => `${name} TEXT`).join(', ')},
     labels TEXT NOT NULL,
     ${statusColumns}
   ) STRICT;
   ${indexesOf('agent')}
   CREATE TABLE assignment (
     id INTEGER PRIMARY KEY, name TEXT, group_names TEXT, snapshot INTEGER NOT NULL,
     is_from_keys INTEGER NOT NULL, is_calculated INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX assignment_snapshot ON assignment (snapshot);
   CREATE TABLE agent_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
];

/** The columns that the data are made of. */
const partColumns = [
  ...textColumnNames.map((name, index) => `data ->> ${index} AS ${name}`),
  `data -> ${textColumnNames.length} AS labels`,
];

export const laterAgentMigrations: readonly string[] = [
  `CREATE TABLE agent_record (id INTEGER PRIMARY KEY, data TEXT NOT NULL, ${statusColumns}) STRICT;
   INSERT INTO agent_record (id, data, ${statusColumnNames})
     SELECT id, json_array(${textColumnNames.join(', ')}, json(labels)), ${statusColumnNames}
     FROM agent;
   DROP TABLE agent;
   CREATE VIEW agent AS
     SELECT id, ${partColumns.join(', ')}, ${statusColumnNames} FROM agent_record;
   ${indexesOf('agent_record')}`,
  // All rows of a table are counted page by page, those that fulfil a condition one by one.
  "CREATE INDEX registration_removed ON registration (id) WHERE source = 'removed'",
];
