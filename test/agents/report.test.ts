import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textColumnNames, textColumns } from '../../src/agents/agent.ts';
import { labelLimits, parseReport } from '../../src/agents/report.ts';

/** What is wrong with a report of agent 7 that says this. */
function problemOf(facts: object): string | undefined {
  return parseReport(JSON.stringify({ id: 7, ...facts })).problem;
}

/** What a report of agent 7 that says this is read as. */
function factsOf(facts: object) {
  return parseReport(JSON.stringify({ id: 7, ...facts })).report?.facts;
}

describe('report of an agent', () => {
  it('takes every fact as it is given', () => {
    const texts = Object.fromEntries(textColumnNames.map((name) => [name, `a ${name}`]));
    const facts = {
      ...texts,
      last_keepalive: 1_800_000_000,
      connection_status: 'active',
      disconnection_time: 0,
      status_code: 3,
    };
    assert.deepEqual(factsOf({ ...facts, labels: { site: 'Graz', zone: '' } }), {
      ...facts,
      labels: [['site', 'Graz'], ['zone', '']],
    });
  });

  it('holds no more than was given', () => {
    assert.deepEqual(factsOf({ name: 'web-7' }), { name: 'web-7' });
    assert.deepEqual(factsOf({ labels: {} }), { labels: [] });
  });

  it('takes null for what is not known', () => {
    assert.deepEqual(factsOf({ os_name: null, last_keepalive: null }), {
      os_name: null,
      last_keepalive: null,
    });
    assert.equal(
      problemOf({ connection_status: null }),
      '"connection_status" has to be one of never_connected, pending, active, disconnected, not null',
    );
    assert.equal(problemOf({ labels: null }), '"labels" has to be an object of texts, not null');
  });

  it('takes the number of an agent in all its forms', () => {
    for (const id of ['7', '"7"', '"007"', '7.0', '"0000000007"']) {
      assert.equal(parseReport(`{"id":${id},"name":"a"}`).report?.id, 7, id);
    }
    assert.equal(parseReport('{"id":2147483647,"name":"a"}').report?.id, 2 ** 31 - 1);
  });

  it('refuses what is no number of an agent', () => {
    const expected = '"id" has to be a number from 1 to 2147483647';
    for (
      const [id, shown] of [
        ['0', '0'],
        ['-7', '-7'],
        ['7.5', '7.5'],
        ['2147483648', '2147483648'],
        ['1e400', 'Infinity'],
        ['""', '""'],
        ['" 7"', '" 7"'],
        ['"0x7"', '"0x7"'],
        ['"000"', '"000"'],
        ['null', 'null'],
        ['true', 'true'],
        ['[7]', 'a list'],
        ['{"id":7}', 'an object'],
      ]
    ) {
      const { problem } = parseReport(`{"id":${id},"name":"a"}`);
      assert.equal(problem, `${expected}, not ${shown}`, id);
    }
  });

  it('needs a number and one fact', () => {
    assert.equal(parseReport('{"name":"a"}').problem, '"id" is missing');
    assert.equal(parseReport('{"id":7}').problem, 'It has nothing but an "id"');
    assert.equal(parseReport('{}').problem, '"id" is missing');
  });

  it('refuses what is no object', () => {
    for (const text of ['', ' ', '{', '{"id":7,', 'hello', '{"id":7}{"id":8}', "{'id':7}"]) {
      assert.equal(parseReport(text).problem, 'It is not a JSON object', text);
    }
    assert.equal(parseReport('[]').problem, 'It is a list, not a JSON object');
    assert.equal(parseReport('7').problem, 'It is 7, not a JSON object');
    assert.equal(parseReport('null').problem, 'It is null, not a JSON object');
  });

  it('names the key that was probably meant', () => {
    assert.equal(problemOf({ os_nme: 'x' }), 'There is no key "os_nme", did you mean "os_name"?');
    assert.equal(problemOf({ lables: {} }), 'There is no key "lables", did you mean "labels"?');
    assert.equal(problemOf({ colour: 'red' }), 'There is no key "colour"');
    assert.equal(
      problemOf({ connection_status: 'Active' }),
      '"connection_status" has to be one of never_connected, pending, active, disconnected, ' +
        'not "Active", did you mean "active"?',
    );
  });

  it('takes no key for one that every object has', () => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const { problem } = parseReport(`{"id":7,"name":"a","${key}":"x"}`);
      assert.equal(problem, `There is no key "${key}"`);
    }
    const { report } = parseReport('{"id":7,"labels":{"__proto__":"x"}}');
    assert.deepEqual(report?.facts, { labels: [['__proto__', 'x']] });
  });

  it('refuses a wrong type', () => {
    for (
      const [value, shown] of [[7, '7'], [true, 'true'], [[], 'a list'], [{}, 'an object']] as const
    ) {
      for (const name of textColumnNames) {
        assert.equal(problemOf({ [name]: value }), `"${name}" has to be a text, not ${shown}`);
      }
    }
    assert.equal(problemOf({ labels: [] }), '"labels" has to be an object of texts, not a list');
    assert.equal(problemOf({ labels: { a: 1 } }), '"labels.a" has to be a text, not 1');
    assert.equal(problemOf({ labels: { a: null } }), '"labels.a" has to be a text, not null');
  });

  it('bounds every text', () => {
    for (const name of textColumnNames) {
      const max = textColumns[name];
      assert.deepEqual(factsOf({ [name]: 'x'.repeat(max) }), { [name]: 'x'.repeat(max) });
      const problem = `"${name}" has ${max + 1} characters, at most ${max} are possible`;
      assert.equal(problemOf({ [name]: 'x'.repeat(max + 1) }), problem);
    }
  });

  it('bounds labels', () => {
    const { countMax, keyLengthMax, valueLengthMax } = labelLimits;
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
    assert.equal(factsOf({ labels: many(countMax) })?.labels?.length, countMax);
    assert.match(problemOf({ labels: many(countMax + 1) }) ?? '', /^"labels" has 65 labels/);
    assert.equal(problemOf({ labels: { ['k'.repeat(keyLengthMax)]: 'v' } }), undefined);
    assert.match(problemOf({ labels: { ['k'.repeat(keyLengthMax + 1)]: 'v' } }) ?? '', /129 char/);
    assert.equal(problemOf({ labels: { k: 'v'.repeat(valueLengthMax) } }), undefined);
    assert.match(problemOf({ labels: { k: 'v'.repeat(valueLengthMax + 1) } }) ?? '', /^"labels.k"/);
    assert.equal(problemOf({ labels: { '': 'v' } }), '"labels" has a label without a key');
  });

  it('takes whole numbers within bounds only', () => {
    const seconds = 'a whole number of seconds since 1970 from 0 to 253402300799';
    for (const key of ['last_keepalive', 'disconnection_time']) {
      assert.deepEqual(factsOf({ [key]: 0 }), { [key]: 0 });
      assert.deepEqual(factsOf({ [key]: 253_402_300_799 }), { [key]: 253_402_300_799 });
      for (const value of [-1, 1.5, 1_800_000_000_000]) {
        assert.equal(problemOf({ [key]: value }), `"${key}" has to be ${seconds}, not ${value}`);
      }
      assert.equal(problemOf({ [key]: '5' }), `"${key}" has to be ${seconds}, not "5"`);
    }
    assert.deepEqual(factsOf({ status_code: 2 ** 31 - 1 }), { status_code: 2 ** 31 - 1 });
    assert.match(problemOf({ status_code: 2 ** 31 }) ?? '', /from 0 to 2147483647/);
  });

  it('refuses what no text of an agent can hold', () => {
    for (const character of ['\0', '\n', '\x1b', '\x7f', '\x9b']) {
      assert.equal(problemOf({ name: `a${character}` }), '"name" has a control character');
      assert.match(problemOf({ labels: { k: character } }) ?? '', /has a control character/);
      assert.match(problemOf({ labels: { [character]: 'v' } }) ?? '', /has a control character/);
    }
    assert.equal(parseReport('{"id":7,"name":"\\ud800"}').problem, '"name" is not valid Unicode');
    assert.deepEqual(factsOf({ name: '雪 😀 é' }), { name: '雪 😀 é' });
  });

  it('repeats of what was given only what is short and harmless', () => {
    const problem = problemOf({ [`\x1b[2J${'x'.repeat(100_000)}`]: 1 }) ?? '';
    assert.ok(problem.length < 100, problem);
    assert.match(problem, /^There is no key "\\x1b\[2Jx+…"$/);
    const long = problemOf({ last_keepalive: 'y'.repeat(100_000) }) ?? '';
    assert.ok(long.length < 200, long);
  });
});
