import assert from 'node:assert/strict';
import test from 'node:test';
import { Output } from '../../src/cli/output.ts';
import { ProgressLine, renderProgress } from '../../src/cli/progress.ts';
import type { SyncProgress } from '../../src/node/operations.ts';
import { FakeHost } from './fake-host.ts';

const half: SyncProgress = {
  phase: 'fetching',
  filesDone: 620,
  filesTotal: 1240,
  bytesDone: 6_501_171,
  bytesTotal: 13_002_342,
};

test('renderProgress() tells files, bytes, rate and time left', () => {
  assert.equal(
    renderProgress(half, 2000, 80),
    'Fetching  620 of 1,240 files  6.2 MiB of 12.4 MiB  3.1 MiB/s  2.0 s left',
  );
});

test('renderProgress() leaves out what it does not know', () => {
  const none = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };
  assert.equal(renderProgress({ phase: 'comparing', ...none }, 5000, 80), 'Comparing');
  assert.equal(
    renderProgress({ ...none, phase: 'scanning', filesDone: 1500 }, 5000, 80),
    'Scanning  1,500 files',
  );
  assert.equal(
    renderProgress({ ...none, phase: 'removing', filesDone: 3, filesTotal: 9 }, 5000, 80),
    'Removing  3 of 9 files',
  );
  // Of the first second no rate can be told.
  assert.equal(
    renderProgress(half, 999, 80),
    'Fetching  620 of 1,240 files  6.2 MiB of 12.4 MiB',
  );
  const done = { ...half, bytesDone: half.bytesTotal };
  assert.doesNotMatch(renderProgress(done, 4000, 80), /left/);
});

test('renderProgress() fits the terminal, the last part goes first', () => {
  assert.equal(
    renderProgress(half, 2000, 65),
    'Fetching  620 of 1,240 files  6.2 MiB of 12.4 MiB  3.1 MiB/s',
  );
  assert.equal(renderProgress(half, 2000, 30), 'Fetching  620 of 1,240 files');
  assert.equal(renderProgress(half, 2000, 6), 'Fetch…');
  for (let columns = 0; columns < 80; columns++) {
    assert.ok(renderProgress(half, 2000, columns).length <= columns);
  }
});

function lineOn(host: FakeHost, isQuiet = false): ProgressLine {
  const output = new Output(host, { isJson: false, isQuiet, color: 'auto' });
  return new ProgressLine(output, host.clock);
}

test('ProgressLine writes to a terminal, not at every step, and clears itself', () => {
  const host = new FakeHost([]).onTerminal();
  const line = lineOn(host);
  line.onProgress({ ...half, phase: 'scanning', bytesDone: 0, bytesTotal: 0 });
  line.onProgress(half);
  host.clock.advance(50);
  line.onProgress({ ...half, filesDone: 700 });
  host.clock.advance(50);
  line.onProgress({ ...half, filesDone: 800 });
  line.end();
  line.onProgress({ ...half, filesDone: 900 });
  assert.equal(
    host.stderr.text,
    '\rScanning  620 of 1,240 files\x1b[K' +
      '\rFetching  620 of 1,240 files  6.2 MiB of 12.4 MiB\x1b[K' +
      '\rFetching  800 of 1,240 files  6.2 MiB of 12.4 MiB\x1b[K' +
      '\r\x1b[K',
  );
  assert.equal(host.stdout.text, '');
});

test('ProgressLine writes nothing where nobody looks, or wants to', () => {
  const dumb = new FakeHost([], { environment: { TERM: 'dumb' } }).onTerminal();
  for (const [host, isQuiet] of [[new FakeHost([]), false], [dumb, false]] as const) {
    const line = lineOn(host, isQuiet);
    line.onProgress(half);
    line.end();
    assert.equal(host.stderr.text, '');
  }
  const quiet = new FakeHost([]).onTerminal();
  const line = lineOn(quiet, true);
  line.onProgress(half);
  line.end();
  assert.equal(quiet.stderr.text, '');
});
