/** Payloads of the Wazuh protocol as real nodes send them. */
import { toBytes } from '../../src/base/bytes.ts';
import type { CommandName } from '../../src/wazuh/commands.ts';
import { clusterFailure } from '../../src/wazuh/failure.ts';

/** The failure of a hello whose name is taken. */
export const takenText =
  '{"__wazuh_exception__": {"__class__": "WazuhClusterError", "__object__": {"type": "about:blank", "title": "Wazuh Cluster Error", "code": 3028, "extra_message": "worker1", "extra_remediation": null, "cmd_error": false, "dapi_errors": {}}}}';

/** Requests, and what they say. */
export const requestSamples: readonly (readonly [CommandName, string, unknown])[] = [
  ['hello', 'w1 wazuh worker 4.14.7', {
    node: 'w1',
    cluster: 'wazuh',
    nodeType: 'worker',
    version: '4.14.7',
  }],
  ['new_file', '/queue/cluster/w1/a.zip', '/queue/cluster/w1/a.zip'],
  ['file_upd', '/q/a.zip a b \xff', { path: '/q/a.zip', bytes: toBytes('a b \xff') }],
  ['file_upd', '/q/a.zip ', { path: '/q/a.zip', bytes: new Uint8Array(0) }],
  ['file_end', `/q/a.zip ${'\x20'.repeat(32)}`, { path: '/q/a.zip', hash: '\x20'.repeat(32) }],
  ['new_str', '990', 990],
  ['str_upd', '17 {"a": 1}', { id: '17', bytes: toBytes('{"a": 1}') }],
  ['cancel_task', `t-1 ${takenText}`, {
    task: 't-1',
    failure: clusterFailure(3028, 'worker1').failure,
  }],
  ['syn_i_w_m_r', `None ${takenText}`, {
    task: undefined,
    failure: clusterFailure(3028, 'worker1').failure,
  }],
  ['syn_i_w_m_e', 't-1 queue/cluster/w1/a.zip', { task: 't-1', path: 'queue/cluster/w1/a.zip' }],
  ['syn_a_w_m', '2954799566', '2954799566'],
  ['syn_m_a_e', '{"updated_chunks": 3, "error_messages": ["x"], "time_spent": 0.25}', {
    updated_chunks: 3,
    error_messages: ['x'],
    time_spent: 0.25,
  }],
  ['dapi_res', '12 34', { client: '12', id: '34' }],
  ['dapi', '12 {"f": 1}', { client: '12', bytes: toBytes('{"f": 1}') }],
];
