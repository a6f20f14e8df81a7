import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GroupMatch, type GroupRule, GroupRules } from '../../src/agents/group-rules.ts';
import type { RuleSubject } from '../../src/agents/group-rules.ts';
import { labelConditionProblem, subnetProblem } from '../../src/agents/group-rules.ts';

const agent: RuleSubject = {
  name: 'web-01',
  ip: '10.1.2.3',
  osPlatform: 'ubuntu',
  labels: [['role', 'web'], ['site', 'a=b']],
};

function rule(conditions: Partial<GroupRule>): GroupRule {
  return { name: '', osPlatform: '', label: '', subnet: '', groups: ['hit'], ...conditions };
}

function groupsOf(
  rules: readonly GroupRule[],
  subject: Partial<RuleSubject> = {},
  match: GroupMatch = 'first',
  missing: readonly string[] = [],
): readonly string[] {
  const exists = (group: string) => !missing.includes(group);
  return new GroupRules(rules, match).groupsOf({ ...agent, ...subject }, exists).groups;
}

const holds = (conditions: Partial<GroupRule>, subject: Partial<RuleSubject> = {}): boolean =>
  groupsOf([rule(conditions)], subject)[0] === 'hit';

test('a name pattern has * for any characters and ? for one, and nothing else', () => {
  const fits = (name: string, agentName: string) => holds({ name }, { name: agentName });
  for (const [pattern, name] of [['web-*', 'web-01'], ['*', 'x'], ['*1', 'a11'], ['w?b*', 'web']]) {
    assert.ok(fits(pattern!, name!), `${pattern} ${name}`);
  }
  for (const [pattern, name] of [['web', 'web-01'], ['?', 'ab'], ['a.c', 'abc'], ['w*b?', 'web']]) {
    assert.ok(!fits(pattern!, name!), `${pattern} ${name}`);
  }
  assert.ok(fits('a*b*c*d', 'axxbxbxcxcd'));
  assert.ok(!fits('a*b*c*d', 'axxbxbxcxc'));
  assert.ok(fits('[a]*', '[a]b'));
});

test('name patterns agree with regular expressions of the same meaning', () => {
  const letters = ['a', 'b', '*', '?'];
  const words = (alphabet: readonly string[], length: number): string[] =>
    length === 0
      ? ['']
      : words(alphabet, length - 1).flatMap((word) => alphabet.map((letter) => letter + word));
  const texts = [1, 2, 3, 4].flatMap((length) => words(['a', 'b'], length));
  for (const pattern of [1, 2, 3, 4].flatMap((length) => words(letters, length))) {
    const source = pattern.replaceAll('*', '.*').replaceAll('?', '.');
    const expression = new RegExp(`^${source}$`);
    for (const name of texts) {
      assert.equal(holds({ name: pattern }, { name }), expression.test(name), `${pattern} ${name}`);
    }
  }
});

test('a label condition names a key, or a key with its value', () => {
  assert.ok(holds({ label: 'role' }));
  assert.ok(holds({ label: 'role=web' }));
  assert.ok(holds({ label: 'site=a=b' }));
  assert.ok(!holds({ label: 'role=db' }));
  assert.ok(!holds({ label: 'web' }));
  assert.ok(holds({ label: 'role=' }, { labels: [['role', '']] }));
  assert.equal(labelConditionProblem('a=b'), undefined);
  assert.match(labelConditionProblem('=b') ?? '', /^must be/);
});

test('a subnet holds the addresses that begin like it', () => {
  const isIn = (ip: string | null, subnet: string) => holds({ subnet }, { ip });
  assert.ok(isIn('10.1.2.3', '10.0.0.0/8'));
  assert.ok(isIn('10.1.2.3', '10.1.2.3'));
  assert.ok(isIn('10.1.255.255', '10.1.128.0/17'));
  assert.ok(isIn('192.0.2.1', '0.0.0.0/0'));
  assert.ok(isIn('::ffff:10.1.2.3', '10.0.0.0/8'));
  assert.ok(isIn('fd12:3456::1', 'fd00::/8'));
  assert.ok(isIn('2001:db8:0:0:0:0:0:1', '2001:db8::/32'));
  assert.ok(!isIn('10.1.127.255', '10.1.128.0/17'));
  assert.ok(!isIn('fe80::1', 'fd00::/8'));
  assert.ok(!isIn('10.1.2.3', '::/0'));
  for (const ip of [null, 'any', '', '10.1.2', '10.1.2.256', '1:2']) {
    assert.ok(!isIn(ip, '0.0.0.0/0'), String(ip));
  }
});

test('subnetProblem() tells what is no subnet', () => {
  for (const text of ['10.0.0.0/8', '10.0.0.1', '::/0', 'fd00::1:2/128', '1:2:3:4:5:6:7:8']) {
    assert.equal(subnetProblem(text), undefined, text);
  }
  const wrong = ['10.0.0.0/33', '10.0.0/8', '10.0.0.0/', '10.0.0.0/8/9', 'fd00::/129', '1::2::3'];
  for (const text of [...wrong, '1:2:3:4:5:6:7:8::', '1:2:3:4:5:6:7', 'any', '']) {
    assert.match(subnetProblem(text) ?? '', /^must be a subnet/, text);
  }
});

test('all conditions of a rule have to hold', () => {
  const conditions = { name: 'web-*', osPlatform: 'ubuntu', label: 'role', subnet: '10.0.0.0/8' };
  assert.ok(holds(conditions));
  assert.ok(!holds(conditions, { osPlatform: null }));
  assert.ok(!holds({ ...conditions, label: 'other' }));
  assert.ok(holds({}), 'a rule without conditions fits all');
});

test('the first rule that fits decides, or all of them in their order', () => {
  const rules = [
    rule({ name: 'db-*', groups: ['db'] }),
    rule({ groups: ['web', 'linux'] }),
    rule({ groups: ['linux', 'all'] }),
  ];
  assert.deepEqual(groupsOf(rules), ['web', 'linux']);
  assert.deepEqual(groupsOf(rules, {}, 'all'), ['web', 'linux', 'all']);
});

test('an agent that no rule fits gets default', () => {
  assert.deepEqual(groupsOf([rule({ name: 'db-*' })]), ['default']);
  assert.deepEqual(groupsOf([], {}, 'all'), ['default']);
});

test('groups that do not exist are left out and told', () => {
  const rules = [rule({ groups: ['gone'] }), rule({ groups: ['gone', 'there'] })];
  const calculated = (existing: readonly string[]) =>
    new GroupRules(rules, 'first').groupsOf(agent, (group) => existing.includes(group));
  assert.deepEqual(calculated(['there']), { groups: ['there'], missing: ['gone'] });
  assert.deepEqual(calculated(['default']), { groups: ['default'], missing: ['gone', 'there'] });
  assert.deepEqual(calculated([]), { groups: [], missing: ['gone', 'there', 'default'] });
});
