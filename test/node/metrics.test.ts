import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { metricsText } from '../../src/node/metrics.ts';
import { master, worker } from '../cli/samples.ts';

/** The samples, and the types by name, of a text that has to be one. */
function parsed(text: string): { samples: Map<string, number>; types: Map<string, string> } {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  const helps = new Set<string>();
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-z_]+) [A-Z].*\.$/.exec(line)?.[1];
    const [, typed, type] = /^# TYPE ([a-z_]+) (gauge|counter|summary)$/.exec(line) ?? [];
    const [, name, labels = '', value] =
      /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.e+-]+)$/.exec(line) ?? [];
    if (help !== undefined) {
      assert.ok(!helps.has(help), `${help} comes twice`);
      helps.add(help);
    } else if (typed !== undefined) {
      assert.ok(helps.has(typed));
      types.set(typed, type!);
    } else {
      assert.ok(name !== undefined, `"${line}" is no line of the format`);
      assert.ok(
        types.has(name) || types.get(name.replace(/_(sum|count)$/, '')) === 'summary',
        name,
      );
      assert.ok(!samples.has(name + labels), `${name}${labels} comes twice`);
      samples.set(name + labels, Number(value));
    }
  }
  return { samples, types };
}

test('metricsText() tells how a worker is doing', () => {
  const { samples } = parsed(metricsText(worker));
  const expected = {
    'muster_build_info{version="0.1.0",node="worker-1",cluster="muster",role="worker"}': 1,
    'muster_generation': 812,
    'muster_files{set="shared"}': 1239,
    'muster_files_bytes{set="agent-keys"}': 1229,
    'muster_set_halted{set="shared"}': 1,
    'muster_set_halted{set="agent-keys"}': 0,
    'muster_guard_halts_total': 1,
    'muster_connections_total': 2,
    'muster_in_sync': 0,
    'muster_drift_files': 700,
    'muster_master_connected': 1,
    'muster_master_round_trip_seconds': 0.001,
    'muster_certificate_expiry_timestamp_seconds': Date.parse('2027-01-24T09:27:05Z') / 1000,
    'muster_task_last_success_timestamp_seconds{task="integrity"}':
      Date.parse('2026-11-23T09:15:05Z') / 1000,
    'muster_task_duration_seconds_sum{task="integrity"}': 41,
    'muster_task_duration_seconds_count{task="integrity"}': 1265,
    'muster_task_failures_in_a_row{task="integrity"}': 3,
    'muster_event_loop_longest_hold_seconds': 0.012,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(samples.get(name), value, name);
  }
  assert.ok(![...samples.keys()].some((name) => name.startsWith('muster_peer')));
});

test('metricsText() tells how a master sees its workers, and leaves out what is not known', () => {
  const { samples } = parsed(metricsText(master));
  assert.equal(samples.get('muster_peers'), 3);
  assert.equal(samples.get('muster_peer_in_sync{node="worker-1"}'), 1);
  assert.equal(samples.get('muster_peer_in_sync{node="worker-2"}'), 0);
  assert.equal(samples.get('muster_peer_in_sync{node="worker-3"}'), undefined);
  assert.equal(samples.get('muster_peer_sets_halted{node="worker-2"}'), 1);
  assert.equal(samples.get('muster_peer_clock_skew_seconds{node="worker-2"}'), -95);
  assert.equal(samples.get('muster_peer_silence_seconds{node="worker-1"}'), 12);
  assert.ok(![...samples.keys()].some((name) => /^muster_(master|in_sync|drift)/.test(name)));
  const early = parsed(metricsText({ ...master, generation: null, peers: [], tasks: [] }));
  assert.equal(early.samples.get('muster_generation'), undefined);
  assert.equal(early.samples.get('muster_peers'), 0);
});

test('metricsText() escapes what a label may hold', () => {
  const odd = parsed(
    metricsText({ ...master, peers: [{ ...master.peers[0]!, node: 'a"b\\c\nd' }] }),
  );
  assert.equal(odd.samples.get('muster_peer_generation{node="a\\"b\\\\c\\nd"}'), 812);
});

test('metricsText() names counters, and docs/monitoring.md has every metric and no other', async () => {
  const types = new Map([
    ...parsed(metricsText(master)).types,
    ...parsed(metricsText(worker)).types,
  ]);
  for (const [name, type] of types) {
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
  const page = await readFile(new URL('../../docs/monitoring.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(muster_[a-z_]+)`/gm)].map(([, name]) => name!);
  assert.deepEqual(documented.toSorted(), [...types.keys()].toSorted());
});
