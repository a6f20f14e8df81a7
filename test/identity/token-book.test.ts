/** The token book over a store in memory that keeps the contract of the real one. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { test } from 'node:test';
import { explainRedemption, TOKEN_MEMORY_MS, TokenBook } from '../../src/identity/token-book.ts';
import type {
  IssueOptions,
  Redemption,
  TokenRecord,
  TokenStore,
} from '../../src/identity/token-book.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const HOUR_MS = 3_600_000;

class MemoryTokens implements TokenStore {
  readonly records = new Map<string, TokenRecord>();

  insert(record: TokenRecord): void {
    this.records.set(record.id, record);
  }

  find(id: string): TokenRecord | undefined {
    return this.records.get(id);
  }

  takeUse(id: string, lastUse: { node: string; keyFingerprint: string }): boolean {
    const record = this.records.get(id);
    if (record === undefined || record.usesLeft === 0) return false;
    this.records.set(id, { ...record, usesLeft: record.usesLeft - 1, lastUse });
    return true;
  }

  removeExpired(beforeMs: number): number {
    const expired = [...this.records.values()].filter((record) => record.expiresAtMs < beforeMs);
    for (const { id } of expired) this.records.delete(id);
    return expired.length;
  }
}

function open(options: IssueOptions = {}) {
  const store = new MemoryTokens();
  const book = new TokenBook({
    store,
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
    isEqual: (left, right) => timingSafeEqual(left, right),
  });
  const token = book.issue(options, NOW_MS);
  const by = (node: string, change: Partial<Redemption> = {}): Redemption => ({
    id: token.id,
    secret: token.secret,
    node,
    keyFingerprint: `key of ${node}`,
    ...change,
  });
  return { store, book, token, by };
}

test('TokenBook.issue() keeps the hash of the secret and not the secret', () => {
  const { store, token } = open();
  const record = store.find(token.id);
  assert.ok(record !== undefined);
  assert.match(token.id, /^[0-9a-f]{16}$/);
  assert.equal(token.secret.length, 32);
  assert.notDeepEqual(record.secretHash, token.secret);
  assert.equal(Buffer.from(record.secretHash).toString('hex').length, 64);
  assert.equal(record.usesLeft, 1);
  assert.equal(record.expiresAtMs, NOW_MS + 24 * HOUR_MS);
});

test('TokenBook.redeem() honours a token once', () => {
  const { book, by } = open();
  assert.deepEqual(book.redeem(by('a'), NOW_MS), { kind: 'ok', repeated: false });
  assert.deepEqual(book.redeem(by('b'), NOW_MS), { kind: 'used up', lastNode: 'a' });
});

test('TokenBook.redeem() answers the same node and key again without taking another use', () => {
  const { store, book, token, by } = open({ uses: 2 });
  assert.deepEqual(book.redeem(by('a'), NOW_MS), { kind: 'ok', repeated: false });
  assert.deepEqual(book.redeem(by('a'), NOW_MS), { kind: 'ok', repeated: true });
  assert.equal(store.find(token.id)?.usesLeft, 1);
  assert.deepEqual(book.redeem(by('b'), NOW_MS), { kind: 'ok', repeated: false });
  assert.deepEqual(book.redeem(by('c'), NOW_MS), { kind: 'used up', lastNode: 'b' });
});

test('TokenBook.redeem() gives an overheard token nothing after its use', () => {
  const { book, by } = open();
  book.redeem(by('a'), NOW_MS);
  const thief = by('a', { keyFingerprint: 'key of a thief' });
  assert.deepEqual(book.redeem(thief, NOW_MS), { kind: 'used up', lastNode: 'a' });
});

test('TokenBook.redeem() lets one of two in when the store says that the other was first', () => {
  const { store, book, by } = open();
  // Another process takes the use between the look-up and the update.
  const find = store.find.bind(store);
  store.find = (id) => {
    const seen = find(id);
    store.takeUse(id, { node: 'other', keyFingerprint: 'x' });
    return seen;
  };
  assert.equal(book.redeem(by('a'), NOW_MS).kind, 'used up');
});

test('TokenBook.redeem() refuses an unknown id, a wrong secret and a wrong node', () => {
  const { book, by } = open({ node: 'a' });
  assert.deepEqual(book.redeem(by('a', { id: 'ff'.repeat(8) }), NOW_MS), { kind: 'unknown' });
  const guess = by('a', { secret: new Uint8Array(32) });
  assert.deepEqual(book.redeem(guess, NOW_MS), { kind: 'wrong secret' });
  assert.deepEqual(book.redeem(by('b'), NOW_MS), { kind: 'wrong node', expected: 'a' });
  assert.equal(book.redeem(by('a'), NOW_MS).kind, 'ok');
});

test('TokenBook.redeem() refuses a token from the moment it expires on', () => {
  const { book, by } = open({ ttlMs: HOUR_MS, uses: 9 });
  const endMs = NOW_MS + HOUR_MS;
  assert.equal(book.redeem(by('a'), endMs - 1).kind, 'ok');
  assert.deepEqual(book.redeem(by('b'), endMs), { kind: 'expired', expiresAtMs: endMs });
  assert.equal(book.redeem(by('a'), endMs).kind, 'expired', 'not even the node that used it');
});

test('TokenBook.redeem() tells who lacks the secret nothing about the token', () => {
  const { book, by } = open({ ttlMs: HOUR_MS, node: 'a' });
  const guess = by('b', { secret: new Uint8Array(32) });
  assert.equal(book.redeem(guess, NOW_MS + 2 * HOUR_MS).kind, 'wrong secret');
});

test('TokenBook.issue() forgets tokens that expired long ago', () => {
  const { store, book, token } = open({ ttlMs: HOUR_MS });
  book.issue({}, NOW_MS + HOUR_MS + TOKEN_MEMORY_MS);
  assert.ok(store.find(token.id) !== undefined);
  book.issue({}, NOW_MS + HOUR_MS + TOKEN_MEMORY_MS + 1);
  assert.equal(store.find(token.id), undefined);
});

test('explainRedemption() tells the bearer of an unknown token no more than of a wrong secret', () => {
  assert.equal(
    explainRedemption({ kind: 'unknown' }, 'bearer'),
    explainRedemption({ kind: 'wrong secret' }, 'bearer'),
  );
  assert.notEqual(
    explainRedemption({ kind: 'unknown' }, 'master'),
    explainRedemption({ kind: 'wrong secret' }, 'master'),
  );
  assert.equal(
    explainRedemption({ kind: 'expired', expiresAtMs: NOW_MS }, 'bearer'),
    'The join token expired at 2026-11-23 12:00 UTC',
  );
  assert.equal(
    explainRedemption({ kind: 'used up', lastNode: 'a' }, 'bearer'),
    'The join token was used up, last by node "a"',
  );
  assert.equal(
    explainRedemption({ kind: 'wrong node', expected: 'a' }, 'bearer'),
    'The join token is only for a node named "a"',
  );
});
