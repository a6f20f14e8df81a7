import assert from 'node:assert/strict';
import test from 'node:test';
import { Output, type OutputOptions, type Report } from '../../src/cli/output.ts';
import { styled } from '../../src/cli/styled-text.ts';
import { FakeHost } from './fake-host.ts';

const report: Report = {
  document: { schema_version: 1, n: 3 },
  lines: ['data'],
  notes: ['message'],
  exitCode: 4,
  brief: 'it is wrong',
};

function outputOn(host: FakeHost, options: Partial<OutputOptions> = {}): Output {
  return new Output(host, { isJson: false, isQuiet: false, color: 'auto', ...options });
}

function written(options: Partial<OutputOptions>, changed: Partial<Report> = {}) {
  const host = new FakeHost([]);
  const exitCode = outputOn(host, options).report({ ...report, ...changed });
  return [exitCode, host.stdout.text, host.stderr.text];
}

test('Output.report() writes data to standard output and messages to standard error', () => {
  assert.deepEqual(written({}), [4, 'data\n', 'message\n']);
  assert.deepEqual(written({}, { lines: [], notes: [] }), [4, '', '']);
});

test('Output.report() with --quiet writes one line, and nothing at all on success', () => {
  assert.deepEqual(written({ isQuiet: true }), [4, '', 'muster: it is wrong\n']);
  assert.deepEqual(written({ isQuiet: true }, { exitCode: 0 }), [0, '', '']);
  assert.deepEqual(written({ isQuiet: true }, { exitCode: 0, isAsked: true }), [0, 'data\n', '']);
});

test('Output.report() with --json writes one document and nothing else', () => {
  const text = '{\n  "schema_version": 1,\n  "n": 3\n}\n';
  assert.deepEqual(written({ isJson: true }), [4, text, '']);
  assert.deepEqual(written({ isJson: true, isQuiet: true }), [4, text, '']);
});

test('Output.document() escapes what JSON lets through and a terminal may act on', () => {
  const host = new FakeHost([]);
  const document = { text: '\x9b31m\x7f\u202e\u2028é' };
  outputOn(host).documentLine(document);
  assert.equal(host.stdout.text, '{"text":"\\u009b31m\\u007f\\u202e\\u2028é"}\n');
  assert.deepEqual(JSON.parse(host.stdout.text), document);
});

test('Output colours on a terminal, unless the user or the terminal will not have it', () => {
  const colored = '\x1b[31mx\x1b[0m\n';
  const table: [Record<string, string>, OutputOptions['color'], boolean, string][] = [
    [{}, 'auto', true, colored],
    [{}, 'auto', false, 'x\n'],
    [{ NO_COLOR: '1' }, 'auto', true, 'x\n'],
    [{ NO_COLOR: '' }, 'auto', true, colored],
    [{ TERM: 'dumb' }, 'auto', true, 'x\n'],
    [{ NO_COLOR: '1', TERM: 'dumb' }, 'always', false, colored],
    [{}, 'never', true, 'x\n'],
  ];
  for (const [environment, color, isTerminal, expected] of table) {
    const host = new FakeHost([], { environment });
    if (isTerminal) host.onTerminal();
    const output = outputOn(host, { color });
    output.lines([[styled('red', 'x')]]);
    output.notes([[styled('red', 'x')]]);
    assert.deepEqual([host.stdout.text, host.stderr.text], [expected, expected]);
  }
});

test('Output.screen() replaces what is there, and shows no more than fits', () => {
  const host = new FakeHost([]).onTerminal(10);
  host.stdout.rows = 4;
  const output = outputOn(host);
  output.screen(['a', 'a long line of text'], true);
  assert.equal(host.stdout.text, '\x1b[2J\x1b[Ha\x1b[K\na long li…\x1b[K\n\x1b[J');
  host.stdout.text = '';
  output.screen(['1', '2', '3', '4', '5'], false);
  assert.equal(host.stdout.text, '\x1b[H1\x1b[K\n2\x1b[K\n… and 3 m…\x1b[K\n\x1b[J');
});
