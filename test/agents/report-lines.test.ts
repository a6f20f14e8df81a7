import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportBytesMax, ReportLines, type ReportText } from '../../src/agents/report-lines.ts';

/** What is cut out of bytes that arrive in pieces of so many. */
function cut(sent: string | Uint8Array, pieceLength = Infinity): ReportText[] {
  const bytes = typeof sent === 'string' ? new TextEncoder().encode(sent) : sent;
  const lines = new ReportLines();
  const reports: ReportText[] = [];
  for (let at = 0; at < bytes.length; at += pieceLength) {
    // The memory of a piece is used again for the next.
    const piece = bytes.slice(at, Math.min(bytes.length, at + pieceLength));
    reports.push(...lines.push(piece));
    piece.fill(0);
  }
  return [...reports, ...lines.end()];
}

function texts(sent: string | Uint8Array): (string | undefined)[] {
  return cut(sent).map(({ text }) => text);
}

describe('reports, one a line', () => {
  it('are numbered by their lines', () => {
    assert.deepEqual(cut('{"id":1}\n{"id":2}\n\n  \r\n{"id":3}'), [
      { line: 1, text: '{"id":1}' },
      { line: 2, text: '{"id":2}' },
      { line: 5, text: '{"id":3}' },
    ]);
    assert.deepEqual(cut('\n\n{"id":1}\n'), [{ line: 3, text: '{"id":1}' }]);
  });

  it('stay apart, whatever is in them', () => {
    assert.deepEqual(texts('nonsense\n{"id":1\n]\n{}\n'), ['nonsense', '{"id":1', ']', '{}']);
    assert.deepEqual(texts('{"id":1,"name":"a\n{"id":2}'), ['{"id":1,"name":"a', '{"id":2}']);
  });

  it('are none where nothing was sent', () => {
    for (const sent of ['', '\n', ' \r\n\t\n']) {
      assert.deepEqual(cut(sent), []);
    }
  });

  it('may not be longer than the limit', () => {
    const fits = `{"a":"${'x'.repeat(reportBytesMax - 8)}"}`;
    assert.equal(fits.length, reportBytesMax);
    const long = ` ${fits}`;
    for (const pieceLength of [1000, Infinity]) {
      assert.deepEqual(cut(`${fits}\n${long}\n{"id":3}`, pieceLength), [
        { line: 1, text: fits },
        { line: 2, problem: 'It has more than 65536 bytes' },
        { line: 3, text: '{"id":3}' },
      ]);
    }
    const wide = `"${'ü'.repeat(reportBytesMax / 2)}"`;
    assert.deepEqual(cut(`{}\n${wide}\n{}\n`), [
      { line: 1, text: '{}' },
      { line: 2, problem: 'It has more than 65536 bytes' },
      { line: 3, text: '{}' },
    ]);
    assert.deepEqual(cut('x'.repeat(10 * reportBytesMax), 1000), [
      { line: 1, problem: 'It has more than 65536 bytes' },
    ]);
  });

  it('have to be UTF-8', () => {
    const bytes = new Uint8Array([0xff, 0xfe, 10, 0x22, 0xc3, 0xa9, 0x22, 10, 0xc3, 10]);
    assert.deepEqual(cut(bytes), [
      { line: 1, problem: 'It is not UTF-8' },
      { line: 2, text: '"é"' },
      { line: 3, problem: 'It is not UTF-8' },
    ]);
  });
});

describe('reports in an array or over several lines', () => {
  it('are numbered one by one', () => {
    const expected = [{ line: 1, text: '{"id":1}' }, { line: 2, text: '{"id":2}' }];
    assert.deepEqual(cut('[{"id":1},{"id":2}]'), expected);
    assert.deepEqual(cut('\n [ {"id":1}\n ,\n{"id":2} ]\n\n'), expected);
    assert.deepEqual(cut('[]'), []);
    assert.deepEqual(cut('{\n  "id": 1\n}\n'), [{ line: 1, text: '{\n  "id": 1\n}' }]);
    assert.deepEqual(texts('{\n"id":1}{"id":2}\n{ "id":3 }'), [
      '{\n"id":1}',
      '{"id":2}',
      '{ "id":3 }',
    ]);
  });

  it('may hold brackets in texts and labels', () => {
    const odd = '{"name":"a]}\\"}{[","labels":{"a":"\\\\","b":"}"}}';
    assert.deepEqual(texts(`[${odd},${odd}]`), [odd, odd]);
    assert.deepEqual(texts(`{\n${odd.slice(1)}`), [`{\n${odd.slice(1)}`]);
  });

  it('stay apart from what is none', () => {
    assert.deepEqual(texts('[7,"a,b" ,[1,[2]],null,{"id":1}]'), [
      '7',
      '"a,b"',
      '[1,[2]]',
      'null',
      '{"id":1}',
    ]);
    assert.deepEqual(texts('[{"id":1}] x [{"id":2}]'), ['{"id":1}', 'x', '{"id":2}']);
  });

  it('are told when they are not complete', () => {
    assert.deepEqual(cut('[{"id":1},{"id":2,'), [
      { line: 1, text: '{"id":1}' },
      { line: 2, problem: 'It is not complete' },
    ]);
    assert.deepEqual(cut('{\n"id'), [{ line: 1, problem: 'It is not complete' }]);
    assert.deepEqual(cut('[7'), [{ line: 1, text: '7' }]);
  });

  it('may not be longer than the limit', () => {
    const long = `{"a":"${'}'.repeat(2 * reportBytesMax)}"}`;
    assert.deepEqual(cut(`[${long},{"id":2}]`, 1000), [
      { line: 1, problem: 'It has more than 65536 bytes' },
      { line: 2, text: '{"id":2}' },
    ]);
  });
});

describe('the pieces in which bytes arrive', () => {
  const samples = [
    '{"id":1,"name":"ü雪😀"}\n\n{"id":2}\nnonsense\n{"id":3}',
    '[{"id":1,"name":"\\"]}"}, 7, [{"id":2}], "x" ,{"id":3}]',
    '  \n {\n"id":1,"labels":{"a":"\\\\"}}\n{"id":2}x{"id":3}',
  ];

  it('change nothing', () => {
    for (const sample of samples) {
      const whole = cut(sample);
      assert.ok(whole.length > 2);
      for (let length = 1; length < 20; length++) assert.deepEqual(cut(sample, length), whole);
    }
  });

  it('give reports as soon as they are complete', () => {
    const encoder = new TextEncoder();
    const lines = new ReportLines();
    assert.deepEqual(lines.push(encoder.encode('{"id":1}\n{"id"')), [{
      line: 1,
      text: '{"id":1}',
    }]);
    assert.deepEqual(lines.push(encoder.encode(':2}')), []);
    assert.deepEqual(lines.push(encoder.encode('\n')), [{ line: 2, text: '{"id":2}' }]);
    const array = new ReportLines();
    assert.deepEqual(array.push(encoder.encode('[')), []);
    assert.deepEqual(array.push(encoder.encode('{"id":1}')), [{ line: 1, text: '{"id":1}' }]);
  });
});
