import assert from 'node:assert/strict';
import test from 'node:test';
import { judge, worstVerdict } from '../../src/cli/doctor-checks.ts';
import type { DoctorFacts } from '../../src/cli/host.ts';
import { configOf, masterText, workerText } from '../config/sources.ts';
import { run } from './fake-host.ts';
import { certificate, nowMs } from './samples.ts';

const gib = 1024 ** 3;
const day = 86_400_000;

/** A worker on which all is well. */
const well: DoctorFacts = {
  places: [
    { kind: 'root', path: '/var/ossec', problem: null, mode: 0o750 },
    { kind: 'state', path: '/srv/muster', problem: null, mode: 0o700 },
    { kind: 'key', path: '/srv/muster/tls/node.pem', problem: null, mode: 0o600 },
  ],
  isStagingBesideRoot: true,
  freeBytes: 12 * gib,
  openFilesMax: 1024,
  inotify: { watchesMax: 524_288, instancesMax: 128 },
  certificate,
  isDaemonRunning: true,
  listen: null,
  masters: [{ address: '10.0.0.1:1517', problem: null }],
  clockSkewMs: 12,
  missing: [],
};

const masterWell: DoctorFacts = {
  ...well,
  openFilesMax: 4096,
  masters: [],
  clockSkewMs: null,
  listen: { address: '0.0.0.0:1517', problem: null },
};

/** The checks that are not ok, as `VERDICT NAME: MESSAGE`. */
function found(changes: Partial<DoctorFacts>, text = workerText, base = well): string[] {
  return judge({ ...base, ...changes }, configOf(text), nowMs)
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ verdict, name, message, remedy }) => {
      assert.ok(remedy !== null && remedy !== '', 'whatever is not ok has a remedy');
      return `${verdict} ${name}: ${message}`;
    });
}

test('judge() finds nothing where all is well', () => {
  assert.deepEqual(found({}), []);
  assert.deepEqual(found({}, masterText, masterWell), []);
});

test('judge() takes what cannot be measured for no reason to worry', () => {
  const unknown = {
    isStagingBesideRoot: null,
    freeBytes: null,
    openFilesMax: null,
    inotify: null,
    certificate: null,
    clockSkewMs: null,
  };
  assert.deepEqual(found(unknown), []);
});

test('judge() fails a place that cannot be used, and a key that others can read', () => {
  const places: DoctorFacts['places'] = [
    { kind: 'root', path: '/var/ossec', problem: 'does not exist', mode: null },
    { kind: 'key', path: '/srv/my tls/node.pem', problem: null, mode: 0o640 },
  ];
  assert.deepEqual(found({ places }), [
    'fail root: /var/ossec: does not exist',
    'fail key: /srv/my tls/node.pem has mode 0640, others can get at it',
  ]);
  const [, , key] = judge({ ...well, places }, configOf(workerText), nowMs);
  assert.equal(key?.remedy, "chmod 600 '/srv/my tls/node.pem'");
});

test('judge() wants room on the disk, and staging beside the tree of a worker', () => {
  const reserve = 64 * 1024 ** 2;
  assert.deepEqual(found({ freeBytes: reserve }), ['fail disk: 64.0 MiB free at /var/ossec']);
  assert.deepEqual(found({ freeBytes: reserve + 1 }), ['warn disk: 64.0 MiB free at /var/ossec']);
  assert.deepEqual(found({ freeBytes: reserve + gib }), []);
  const apart = { isStagingBesideRoot: false };
  assert.deepEqual(found(apart), [
    'fail staging: /srv/muster/staging is not on the file system of /var/ossec',
  ]);
  assert.deepEqual(found(apart, masterText, masterWell), []);
});

test('judge() looks at the life of the certificate', () => {
  const valid = (notBeforeMs: number, notAfterMs: number) => ({
    certificate: { ...certificate, notBeforeMs, notAfterMs },
  });
  assert.deepEqual(found(valid(nowMs, nowMs + 15 * day)), []);
  assert.deepEqual(found(valid(nowMs - day, nowMs + 15 * day - 1)), [
    'warn validity: valid until 2026-12-08 09:27 UTC, and not renewed yet',
  ]);
  assert.deepEqual(found(valid(nowMs - day, nowMs)), [
    'fail validity: expired, valid until 2026-11-23 09:27 UTC',
  ]);
  assert.deepEqual(found(valid(nowMs + day, nowMs + 90 * day)), [
    'fail validity: valid from 2026-11-24 09:27 UTC on only, and here it is 2026-11-23 09:27 UTC',
  ]);
});

test('judge() compares the clocks', () => {
  assert.deepEqual(found({ clockSkewMs: -9_999 }), []);
  assert.deepEqual(found({ clockSkewMs: -10_000 }), [
    'warn clock: the clock of the master is 10 s behind',
  ]);
  assert.deepEqual(found({ clockSkewMs: 300_000 }), [
    'fail clock: the clock of the master is 5 min ahead',
  ]);
});

test('judge() compares the limits of the system with what the configuration allows', () => {
  assert.deepEqual(found({ openFilesMax: 256 }), []);
  assert.deepEqual(found({ openFilesMax: 1024 }, masterText, masterWell), [
    'warn open files: 1,024 allowed, up to 1,512 needed',
  ]);
  const inotify = { watchesMax: 8192, instancesMax: 128 };
  assert.equal(found({ inotify }).length, 1);
  assert.deepEqual(found({ inotify }, `${workerText}[local_integrity]\nwatch = false\n`), []);
});

test('judge() fails what the configuration names and the machine does not have', () => {
  assert.deepEqual(
    found({ missing: [{ key: 'hooks.reload', kind: 'command', name: 'systemctl' }] }),
    ['fail command: command "systemctl" does not exist'],
  );
});

test('judge() needs one address of the master to answer', () => {
  const dead = { address: '10.0.0.2:1517', problem: 'connection refused' };
  assert.deepEqual(found({ masters: [dead, ...well.masters] }), [
    'warn master: 10.0.0.2:1517: connection refused',
  ]);
  assert.deepEqual(found({ masters: [dead] }), ['fail master: 10.0.0.2:1517: connection refused']);
  const listen = { address: '0.0.0.0:1517', problem: 'address already in use' };
  assert.deepEqual(found({ listen }, masterText, masterWell), [
    'fail listen: 0.0.0.0:1517: address already in use',
  ]);
});

test('worstVerdict() of checks', () => {
  const [ok] = judge(well, configOf(workerText), nowMs);
  const warn = { ...ok!, verdict: 'warn' } as const;
  const fail = { ...ok!, verdict: 'fail' } as const;
  assert.equal(worstVerdict([ok!]), 'ok');
  assert.equal(worstVerdict([ok!, warn]), 'warn');
  assert.equal(worstVerdict([fail, ok!, warn]), 'fail');
});

test('doctor prints each check with what to do about it, and exits with 1 where one fails', async () => {
  const facts: DoctorFacts = {
    ...well,
    places: [{ kind: 'root', path: '/var/ossec', problem: 'does not exist', mode: null }],
    clockSkewMs: 60_000,
    isDaemonRunning: false,
  };
  const doctorFacts = () => Promise.resolve(facts);
  const { exitCode, stdout, stderr } = await run('doctor', {}, { doctorFacts });
  assert.equal(exitCode, 1);
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    `ok    configuration: /home/me/muster.toml is valid
fail  root: /var/ossec: does not exist
      Correct root under [node], or let the user that runs muster read and write there
ok    disk: 12.0 GiB free at /var/ossec
ok    validity: valid until 2027-01-24 09:27 UTC, 62 d left
warn  clock: the clock of the master is 1 min ahead
      Keep the clocks of all nodes in step, with NTP for example
ok    open files: 1,024 allowed, up to 256 needed
ok    inotify: 524,288 watches, 128 instances allowed
ok    master: 10.0.0.1:1517 accepts connections
ok    daemon: not running, commands open the node by themselves
9 checks: 1 failed, 1 to look at
`,
  );
});

test('doctor --quiet names what failed, and is silent where nothing did', async () => {
  const failing: DoctorFacts = { ...well, freeBytes: 0 };
  for (
    const [facts, exitCode, stderr] of [
      [failing, 1, 'muster: doctor: disk: 0 B free at /var/ossec\n'],
      [well, 0, ''],
      [{ ...well, clockSkewMs: 60_000 }, 0, ''],
    ] as const
  ) {
    const doctorFacts = () => Promise.resolve(facts);
    const ending = await run('doctor --quiet', {}, { doctorFacts });
    assert.deepEqual(ending, { exitCode, stdout: '', stderr });
  }
});
