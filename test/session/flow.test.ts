import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProtocolError } from '../../src/base/errors.ts';
import { BulkInbox, CreditGate, windowBytes } from '../../src/session/flow.ts';
import { turn } from '../sim/turn.ts';

const quarter = windowBytes / 4;
const { signal } = new AbortController();

/** An inbox with the credit that it grants. */
function inboxWithGrants(): { inbox: BulkInbox; grants: number[] } {
  const grants: number[] = [];
  return { inbox: new BulkInbox((bytes) => grants.push(bytes)), grants };
}

function isFault(name: string): (error: unknown) => boolean {
  return (error) => error instanceof ProtocolError && error.fault === name;
}

test('CreditGate.spend() takes what is there and waits for the rest', async () => {
  const gate = new CreditGate();
  await gate.spend(windowBytes, signal);
  let isSpent = false;
  const spending = gate.spend(10, signal).then(() => isSpent = true);
  gate.grant(9);
  await turn();
  assert.equal(isSpent, false);
  gate.grant(1);
  await spending;
  gate.grant(5);
  await gate.spend(5, signal);
});

test('CreditGate.spend() ends with its signal, and takes nothing then', async () => {
  const gate = new CreditGate();
  await gate.spend(windowBytes, signal);
  const controller = new AbortController();
  const spending = gate.spend(1, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(spending, /enough/);
  gate.grant(1);
  await gate.spend(1, signal);
});

test('CreditGate.spend() wakes all who wait', async () => {
  const gate = new CreditGate();
  await gate.spend(windowBytes, signal);
  const both = Promise.all([gate.spend(1, signal), gate.spend(1, signal)]);
  gate.grant(1);
  gate.grant(1);
  await both;
});

test('BulkInbox.take() gives chunks in order and grants credit by quarters of the window', async () => {
  const { inbox, grants } = inboxWithGrants();
  for (let i = 0; i < 8; i++) inbox.push(new Uint8Array(windowBytes / 8).fill(i));
  for (let i = 0; i < 8; i++) assert.equal((await inbox.take())![0], i);
  assert.deepEqual(grants, [quarter, quarter, quarter], 'the chunk in hand is not consumed yet');
  const next = inbox.take();
  assert.deepEqual(grants, [quarter, quarter, quarter, quarter]);
  inbox.push(Uint8Array.of(9));
  assert.deepEqual(await next, Uint8Array.of(9));
});

test('BulkInbox.push() refuses more than was granted', async () => {
  const { inbox } = inboxWithGrants();
  for (let i = 0; i < 4; i++) inbox.push(new Uint8Array(quarter));
  assert.throws(() => inbox.push(Uint8Array.of(1)), isFault('windowExceeded'));
});

test('BulkInbox.push() takes a window more for a window consumed', async () => {
  const { inbox } = inboxWithGrants();
  for (let i = 0; i < 4; i++) inbox.push(new Uint8Array(quarter));
  for (let i = 0; i < 4; i++) await inbox.take();
  const waiting = inbox.take();
  for (let i = 0; i < 4; i++) inbox.push(new Uint8Array(quarter));
  assert.throws(() => inbox.push(Uint8Array.of(1)), isFault('windowExceeded'));
  await waiting;
});

test('BulkInbox.push() refuses chunks that cost memory and no credit', () => {
  assert.throws(() => inboxWithGrants().inbox.push(new Uint8Array(0)), isFault('malformed'));
});

test('BulkInbox.take() gives what is there before the end, then the end for ever', async () => {
  const { inbox } = inboxWithGrants();
  inbox.push(Uint8Array.of(1));
  inbox.finish('complete');
  inbox.finish({ error: new Error('too late') });
  assert.deepEqual(await inbox.take(), Uint8Array.of(1));
  assert.equal(await inbox.take(), undefined);
  assert.equal(await inbox.take(), undefined);
});

test('BulkInbox.take() throws the error after what is there', async () => {
  const { inbox, grants } = inboxWithGrants();
  inbox.push(new Uint8Array(windowBytes - 1));
  inbox.finish({ error: new Error('lost') });
  inbox.push(Uint8Array.of(2)); // what comes after the end is dropped
  assert.equal((await inbox.take())!.length, windowBytes - 1);
  await assert.rejects(inbox.take(), /lost/);
  assert.deepEqual(grants, [], 'nobody is left to grant credit to');
});

test('BulkInbox.take() that waits is woken by a chunk and by the end', async () => {
  const { inbox } = inboxWithGrants();
  const chunk = inbox.take();
  inbox.push(Uint8Array.of(1));
  assert.deepEqual(await chunk, Uint8Array.of(1));
  const end = inbox.take();
  inbox.finish('complete');
  assert.equal(await end, undefined);
});
