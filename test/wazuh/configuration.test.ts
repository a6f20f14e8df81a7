import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBytes } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { defaultClusterJson, readClusterJson } from '../../src/wazuh/cluster-json.ts';
import { readClusterSection } from '../../src/wazuh/cluster-section.ts';
import { readElements } from '../../src/wazuh/ossec-xml.ts';

const key = '9d273b53510fef702b54a92e9cffc82e';

/** A file with these lines in its cluster section. */
function file(...lines: string[]): string {
  return ['<ossec_config>', '<cluster>', ...lines, '</cluster>', '</ossec_config>'].join('\n');
}

const nodes = '<nodes><node>10.0.0.1</node></nodes>';
const good = [
  '<name>wazuh</name>',
  '<node_name>worker-1</node_name>',
  '<node_type>worker</node_type>',
  `<key>${key}</key>`,
  nodes,
];

/** The problems of a file, without the text that all begin with. */
function problemsOf(source: string): string[] {
  return readClusterSection(source).problems.map(({ line, text }) =>
    `${line}: ${text.replace('Error 3004 - Error in cluster configuration: ', '')}`
  );
}

test('readClusterSection() reads what an installation has', () => {
  const source = `<!--
  Wazuh - Manager -- Default <configuration>
-->
<?xml version="1.0"?>
<ossec_config>
  <global><email_from>a@b.c</email_from></global>
  <localfile><location type="x > y">C:\\logs\\*.log & more \\< that</location></localfile>
  <cluster>
    <name>prod</name> <!-- <key>no</key> -- -->
    <node_name>worker_2</node_name>
    <node_type>worker</node_type>
    <key>${key}</key>
    <port>1600</port>
    <bind_addr>10.0.0.2</bind_addr>
    <nodes>
        <node>master&amp;1</node>
    </nodes>
    <hidden>yes</hidden>
    <disabled>no</disabled>
    <haproxy_helper><haproxy_port>1</haproxy_port></haproxy_helper>
    <future/>
  </cluster>
</ossec_config>
<ossec_config>
  <localfile/>
</ossec_config>
`;
  const { section, problems, warnings } = readClusterSection(source);
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings, []);
  assert.deepEqual(section, {
    isDisabled: false,
    name: 'prod',
    nodeName: 'worker_2',
    nodeType: 'worker',
    key,
    port: 1600,
    bindAddress: '10.0.0.2',
    masterAddress: 'master&1',
    isHidden: true,
  });
});

test('readClusterSection() takes the values of real nodes for what is not said', () => {
  const { section } = readClusterSection(file(`<key>${key}</key>`, nodes));
  assert.deepEqual(section, {
    isDisabled: false,
    name: 'wazuh',
    nodeName: 'node01',
    nodeType: 'master',
    key,
    port: 1516,
    bindAddress: '0.0.0.0',
    masterAddress: '10.0.0.1',
    isHidden: false,
  });
  for (const source of ['', '<ossec_config></ossec_config>', file('<disabled>yes</disabled>')]) {
    assert.equal(readClusterSection(source).section?.isDisabled, true);
    assert.deepEqual(problemsOf(source), []);
  }
});

test('readClusterSection() tells all problems at once, each with its line', () => {
  assert.deepEqual(
    problemsOf(file(
      '<disabled>maybe</disabled>',
      '<key>short</key>',
      '<node_type>boss</node_type>',
      '<port>80</port>',
      '<nodes><node>localhost</node><node>NODE_IP</node></nodes>',
      '<name>my cluster</name>',
      '<node_name>a.b</node_name>',
    )),
    [
      "3: Allowed values for 'disabled' field are 'yes' and 'no'. Found: 'maybe'",
      '4: Key must be 32 characters long and only have alphanumeric characters',
      '5: Invalid node type boss. Correct values are master and worker',
      '6: Port must be higher than 1024 and lower than 65535.',
      '7: Invalid elements in node fields: localhost, NODE_IP.',
      '8: The name "my cluster" contains a space',
      '9: Error 3060 - Invalid node name format: a.b',
    ],
  );
  assert.deepEqual(problemsOf(file('<port> 1516</port>')), [
    '2: Unspecified key',
    '3: Cluster port must be an integer.',
    '2: Invalid elements in node fields: NODE_IP.',
  ]);
});

test('readClusterSection() knows the limits of keys and ports', () => {
  const withPort = (port: string) => problemsOf(file(...good, `<port>${port}</port>`)).length;
  assert.deepEqual(['1024', '1025', '65534', '65535', '', '0x600'].map(withPort), [
    1,
    0,
    0,
    1,
    1,
    1,
  ]);
  const withKey = (text: string) => problemsOf(file(...good, `<key>${text}</key>`)).length;
  const almost = key.slice(1);
  assert.deepEqual([key, `${almost}_`, `${almost}é`, `${almost} `, almost, ''].map(withKey), [
    0,
    0,
    1,
    1,
    1,
    1,
  ]);
});

test('readClusterSection() warns of what counts only in part', () => {
  const doubled = file(...good) +
    file(...good, '<node_type>client</node_type>', '<nodes><node>a</node><node>b</node></nodes>');
  const { section, warnings } = readClusterSection(doubled);
  assert.equal(section?.nodeType, 'worker');
  assert.equal(section?.masterAddress, 'a');
  assert.deepEqual(warnings.map(({ text }) => text.slice(0, 28)), [
    'There are several <cluster> ',
    'The node type "client" is an',
    'There are several <node> ele',
  ]);
});

test('readElements() tells the line where a file cannot be read on', () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['<a>\n<b>\n</a>', /line 3: "<\/a>" does not end <b>/],
    ['<a>\n', /line 1: <a> has no end/],
    ['</a>', /line 1: "<\/a>" does not end <>/],
    ['<a>\n<!-- x', /line 2: "<!-- x" is no tag/],
    ['<a>1 < 2</a>', /line 1: "< 2<\/a>" is no tag/],
    ['<a'.repeat(3), /line 1: "<a<a<a" is no tag/],
    ['<a>'.repeat(100), /line 1: "<a><a>.*" lies too deep/],
  ];
  for (const [source, message] of faults) {
    assert.throws(() => readElements(source), message, source);
    assert.equal(readClusterSection(source).problems.length, 1);
    assert.match(readClusterSection(source).problems[0]!.text, /^Error 3006 - Error reading/);
  }
});

test('readElements() takes long texts', () => {
  const [element] = readElements(`<a>${'\\'.repeat(300_000)}${'x'.repeat(300_000)}</a>`);
  assert.equal(element?.text.length, 600_000);
});

test('readClusterJson() reads sets, exceptions and intervals', () => {
  const text = JSON.stringify({
    files: {
      'etc/': {
        permissions: '640',
        source: 'master',
        files: ['client.keys'],
        recursive: false,
        restart: true,
        remove_subdirs_if_empty: false,
        extra_valid: false,
        description: 'client keys',
      },
      'etc/lists/': { permissions: '0o660', files: ['all'], recursive: true },
      'excluded_files': ['ar.conf'],
      'excluded_extensions': ['~'],
    },
    intervals: { worker: { sync_integrity: 5 }, communication: { zip_limit_tolerance: 0.5 } },
    distributed_api: { enabled: true },
  });
  const { sets, excludedFiles, excludedEndings, settings } = readClusterJson(toBytes(text));
  assert.deepEqual(sets, [
    defaultClusterJson.sets[0],
    { ...defaultClusterJson.sets[5], mode: 0o660 },
  ]);
  assert.deepEqual([excludedFiles, excludedEndings], [['ar.conf'], ['~']]);
  assert.equal(settings.get('worker.sync_integrity'), 5);
  assert.equal(settings.get('communication.zip_limit_tolerance'), 0.5);
  assert.equal(settings.get('worker.keep_alive'), 60);
});

test('readClusterJson() says what does not fit', () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['{', /cluster\.json is not JSON/],
    ['{}', /"cluster\.json\.files" is not an object/],
    ['{"files": {"etc/": {}}}', /files\["etc\/"\]\.permissions" is not permissions in octal/],
    ['{"files": {"excluded_files": "a"}}', /excluded_files"\]" is not a list/],
    ['{"files": {}, "intervals": {"worker": {"a": "1"}}}', /\["a"\]" is not a number/],
  ];
  for (const [text, message] of faults) {
    assert.throws(() => readClusterJson(toBytes(text)), (error) => {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, message);
      return true;
    });
  }
});
