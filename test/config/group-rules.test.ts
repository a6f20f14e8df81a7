import assert from 'node:assert/strict';
import test from 'node:test';
import { effectiveDocument, renderEffective } from '../../src/config/effective.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { configOf, fileName, masterText, problemsOf } from './sources.ts';

const rulesText = `${masterText}
[agents]
group_match = "all"
[[group_rules]]
name = "web-*"
groups = ["web", "linux"]
[[group_rules]]
os_platform = "windows"
label = "site=a"
subnet = "10.0.0.0/8"
groups = ["win"]
`;

test('group rules are read in their order; what is left out is ""', () => {
  const { agents, groupRules } = configOf(rulesText);
  assert.equal(agents.groupMatch, 'all');
  assert.deepEqual(groupRules, [
    { name: 'web-*', osPlatform: '', label: '', subnet: '', groups: ['web', 'linux'] },
    { name: '', osPlatform: 'windows', label: 'site=a', subnet: '10.0.0.0/8', groups: ['win'] },
  ]);
  assert.deepEqual(configOf(masterText).groupRules, []);
});

test('problems of group rules are told with their lines', () => {
  const text = `${masterText}[[group_rules]]
groups = ["a,b"]
subnet = "10.0.0.0/40"
[[group_rules]]
label = "=x"
nam = "x"
`;
  const lines = problemsOf(() => configOf(text)).map(({ where, message }) =>
    `${where.slice(fileName.length)} ${message}`.slice(0, 70)
  );
  assert.deepEqual(lines.sort(), [
    ':10 key "nam" of [[group_rules]] is unknown, did you mean "name"?',
    ':6 key "groups" of group_rules[0] cannot be: "a,b" is no group: a name',
    ':7 key "subnet" of group_rules[0] must be a subnet such as "10.1.0.0/1',
    ':8 key "groups" of group_rules[1] is required: Groups that the agents ',
    ':9 key "label" of group_rules[1] must be a label such as "role=web" or',
  ]);
  assert.match(problemsOf(() => configOf(`group_rules = 1\n${masterText}`))[0]!.message, /\[\[/);
});

test('places of agents are paths below the root', () => {
  const agents = (line: string) => configOf(`${masterText}[agents]\n${line}\n`).agents;
  assert.equal(agents('keys_file = "./etc//keys"').keysFile, 'etc/keys');
  for (
    const line of ['keys_file = "/etc/keys"', 'groups_directory = "."', 'keys_file = "a/../b"']
  ) {
    assert.equal(problemsOf(() => agents(line)).length, 1, line);
  }
});

test('the effective configuration shows group rules, and reads as the same', () => {
  const { config, origins } = parseConfig({ fileName, text: rulesText });
  const shown = renderEffective(config, origins);
  assert.match(shown, new RegExp(`name = "web-\\*" +# ${fileName}:9\n`));
  assert.deepEqual(configOf(shown), config);
  const { values } = effectiveDocument(config, origins);
  const [rule] = values['group_rules'] as Record<string, unknown>[];
  assert.deepEqual(rule?.['groups'], ['web', 'linux']);
});

test('the schema describes group rules, of which groups are required', async () => {
  const { properties } = await configJsonSchema() as {
    properties: Record<string, { items?: { required?: string[] } }>;
  };
  assert.deepEqual(properties['group_rules']?.items?.required, ['groups']);
});
