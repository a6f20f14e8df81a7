/** Names in certificates: what is written is read back, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  identityUri,
  isName,
  nameInAltNames,
  nameProblem,
  nodeIdentity,
  parseIdentityUri,
  subjectFields,
} from '../../src/identity/certificate-names.ts';

const worker = { cluster: 'office-1', role: 'worker', node: 'node_2.example' } as const;

test('nameProblem() allows letters, digits, "_", "." and "-" up to 64 characters', () => {
  for (const name of ['a', 'Node-1', 'x_y.z', '...', 'a'.repeat(64), '-']) {
    assert.equal(nameProblem(name), undefined, name);
  }
  for (const name of ['', 'a b', 'a/b', 'ä', 'a\n', '\na', 'a'.repeat(65), '.', '..', 'a%41']) {
    assert.equal(isName(name), false, JSON.stringify(name));
  }
  assert.match(nameProblem('a'.repeat(65)) ?? '', /65 characters, at most 64/);
});

test("identityUri() and parseIdentityUri() are each other's inverse for every role", () => {
  assert.equal(identityUri(worker), 'muster://office-1/worker/node_2.example');
  for (const role of ['master', 'worker', 'authority'] as const) {
    const name = { ...worker, role };
    assert.deepEqual(parseIdentityUri(identityUri(name)), name);
  }
});

test('parseIdentityUri() refuses whatever identityUri() would not write', () => {
  const refused = [
    '',
    'muster://office/worker',
    'muster://office/worker/',
    'muster:///worker/node',
    'muster://office/boss/node',
    'muster://office/WORKER/node',
    'Muster://office/worker/node',
    'muster://office/worker/node/',
    'muster://office/worker/node/more',
    'muster://office/worker/node?x',
    'muster://office/worker/%6eode', // another spelling of "node"
    'muster://office/worker/a%2Fb',
    'muster://office/worker/%zz',
    'muster://office/worker/..',
    'muster://office/worker/node\n',
    ' muster://office/worker/node',
    `muster://office/worker/${'n'.repeat(65)}`,
  ];
  for (const uri of refused) assert.equal(parseIdentityUri(uri), undefined, JSON.stringify(uri));
});

test('nameInAltNames() finds the one URI among host names and addresses', () => {
  const uri = identityUri({ ...worker, role: 'master' });
  const expected = { ...worker, role: 'master' };
  assert.deepEqual(nameInAltNames(`URI:${uri}`), expected);
  assert.deepEqual(nameInAltNames(`DNS:a.example, URI:${uri}, IP Address:10.0.0.1`), expected);
});

test('nameInAltNames() refuses no URI, two URIs and quoted entries', () => {
  const uri = identityUri(worker);
  const refused = [
    undefined,
    '',
    'DNS:muster://office/worker/node',
    `URI:${uri}, URI:${uri}`,
    `URI:${uri}, uri:http://example`,
    `DNS:"a, URI:${uri}"`,
    'URI:"muster://office/worker/node"',
  ];
  for (const text of refused) assert.equal(nameInAltNames(text), undefined, String(text));
});

test('nodeIdentity() is undefined for an authority, so that it never passes for a node', () => {
  assert.equal(nodeIdentity({ ...worker, role: 'authority' }), undefined);
  assert.equal(nodeIdentity(undefined), undefined);
  assert.deepEqual(nodeIdentity(worker), worker);
});

test('subjectFields() names node, cluster and role', () => {
  assert.deepEqual(subjectFields(worker), { CN: 'node_2.example', O: 'office-1', OU: 'worker' });
});
