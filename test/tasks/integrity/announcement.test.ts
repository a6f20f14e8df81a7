/** What a worker makes of an announcement: all that is wrong with one, and the one that is right. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { concatBytes, fromBytes, toBytes } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { BundleWriter } from '../../../src/files/bundle.ts';
import type { Entry, EntryChange } from '../../../src/files/entry.ts';
import { SetTable } from '../../../src/files/file-set.ts';
import { packDelta } from '../../../src/files/generation.ts';
import { Manifest } from '../../../src/files/manifest.ts';
import {
  AnnouncedContents,
  type Announcement,
  Announcements,
  readAnnouncement,
} from '../../../src/tasks/integrity/announcement.ts';
import type { WantedContent } from '../../../src/tasks/integrity/transfer.ts';
import { entry, fileSet } from '../../files/material.ts';
import { simCompression, simHashing } from '../../sim/hashing.ts';
import { SessionPair } from '../../session/session-pair.ts';

const options = { hashing: simHashing, algorithm: 'md5' } as const;
const sets = new SetTable(
  [fileSet(), fileSet({ name: 'lists', path: 'etc/lists' })],
  simHashing,
  'md5',
);
const [rules, lists] = sets.sets;

function change(path: string, content?: string): EntryChange {
  return { path, entry: content === undefined ? undefined : entry(path, content) };
}

const before = Manifest.empty(options).with([
  change('etc/rules/a', 'old a'),
  change('etc/rules/b', 'b'),
]);
const changes = [change('etc/rules/a', 'new a'), change('etc/rules/b'), change('etc/rules/c', 'c')];
const after = before.with(changes);
const listed = Manifest.empty(options).with([change('etc/lists/l', 'l')]);

function bundleOf(contents: readonly (string | undefined)[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = new BundleWriter(
    { compression: simCompression, compress: true },
    (part) => parts.push(part.slice()),
  );
  for (const content of contents) {
    if (content === undefined) {
      writer.add('changed');
      continue;
    }
    writer.begin(content.length);
    writer.write(toBytes(content));
    writer.end(true);
  }
  writer.flush();
  return concatBytes(parts);
}

function announce(parts: Partial<Announcement> = {}): Announcement {
  const about = { isApproved: false, entriesCount: 2 };
  return {
    generation: 7,
    sets: [
      {
        ...about,
        name: 'rules',
        rules: sets.rulesDigest(rules!),
        from: before.rootDigest,
        digest: after.rootDigest,
      },
      {
        ...about,
        name: 'lists',
        rules: sets.rulesDigest(lists!),
        from: listed.rootDigest,
        digest: listed.rootDigest,
      },
    ],
    changes: packDelta(new Map([['rules', changes]]), ['rules', 'lists']),
    contents: bundleOf(['new a', 'c']),
    ...parts,
  };
}

/** With other values for the first set, or the second. */
function altered(index: number, values: Partial<Announcement['sets'][number]>): Announcement {
  const announcement = announce();
  const others = announcement.sets.map((set, i) => i === index ? { ...set, ...values } : set);
  return { ...announcement, sets: others };
}

async function read(announcement: Announcement, tables = { rules: before, lists: listed }) {
  const clock = { breathe: () => Promise.resolve() };
  const local = {
    generation: 6,
    sets,
    algorithm: 'md5' as const,
    manifest: (set: string) => tables[set as keyof typeof tables],
  };
  return await readAnnouncement({ clock, compression: simCompression }, announcement, local);
}

function wanted(value: Entry): WantedContent {
  return { set: 'rules', entry: value, offset: 0 };
}

test('readAnnouncement() gives what an answer would give, with the contents', async () => {
  const announced = await read(announce());
  assert.deepEqual(announced?.comparison, {
    generation: 7,
    differences: [{
      set: 'rules',
      digest: after.rootDigest,
      wantedCount: 2,
      isApproved: false,
      changes,
    }],
    digests: new Map([['rules', after.rootDigest], ['lists', listed.rootDigest]]),
    excluded: [],
  });
  const { contents } = announced;
  const coming = changes.flatMap((each) => each.entry === undefined ? [] : [wanted(each.entry)]);
  assert.equal(contents?.has(coming), true);
  assert.equal(contents.has([...coming, wanted(entry('etc/rules/d', 'd'))]), false);
  assert.equal(contents.has([{ ...coming[0]!, offset: 1 }]), false);
  const seen: string[] = [];
  const note = (what: string) => {
    seen.push(what);
    return undefined;
  };
  await contents.handTo(coming, {
    begin: (item) => note(`begin ${item.entry.path}`),
    bytes: (_, bytes) => note(fromBytes(bytes)),
    end: () => note('end'),
    absent: () => Promise.reject(new Error('None is absent')),
  });
  assert.deepEqual(seen, [
    'begin etc/rules/a',
    'new a',
    'end',
    'begin etc/rules/c',
    'c',
    'end',
  ]);
});

test('readAnnouncement() has nothing to do for a worker that is there already', async () => {
  const announced = await read(announce(), { rules: after, lists: listed });
  assert.deepEqual(announced?.comparison.differences, []);
  assert.equal(announced.contents, undefined);
});

test('readAnnouncement() does not apply to another state, other rules, or an unknown set', async () => {
  const elsewhere = before.with([change('etc/rules/z', 'z')]);
  assert.equal(await read(announce(), { rules: elsewhere, lists: listed }), undefined);
  assert.equal(await read(announce(), { rules: before, lists: before }), undefined);
  assert.equal(await read(altered(0, { from: undefined })), undefined);
  assert.equal(await read(altered(1, { rules: 'r'.repeat(16) })), undefined);
  assert.equal(await read(altered(1, { name: 'other' })), undefined);
});

test('readAnnouncement() believes nothing that contradicts itself', async () => {
  const names = ['rules', 'lists'];
  const bad: readonly [Announcement, RegExp][] = [
    [altered(0, { digest: 'd'.repeat(16) }), /do not fit its digest/],
    [announce({ changes: new Uint8Array(0) }), /do not fit its digest/],
    [announce({ changes: packDelta(new Map([['rules', changes.slice(1)]]), names) }), /do not fit/],
    [announce({ changes: Uint8Array.of(7, 0) }), /delta/],
    [announce({ contents: new Uint8Array(3) }), /fewer than its rows/],
    [announce({ contents: bundleOf(['new a']) }), /fewer than its rows/],
    [announce({ contents: bundleOf(['new a', 'cc']) }), /not those of its rows/],
    [announce({ contents: bundleOf([undefined, 'c']) }), /not those of its rows/],
    [announce({ contents: bundleOf(['new a', 'c', 'more']) }), /goes on after its last item/],
  ];
  for (const [announcement, message] of bad) {
    await assert.rejects(
      read(announcement),
      (error) => error instanceof ProtocolError && message.test(error.message),
      String(message),
    );
  }
});

test('AnnouncedContents holds no more than an announcement may have', () => {
  const large = [entry('a', 'x', { size: 40_000 }), entry('b', 'y', { size: 40_000 })];
  assert.throws(
    () => new AnnouncedContents(simCompression, new Uint8Array(0), large),
    /larger than any may be/,
  );
});

test('Announcements gives the last one of the session once', async () => {
  const pair = await SessionPair.connect();
  const [master, worker] = [pair.session('master'), pair.session('worker')];
  const announcements = new Announcements();
  assert.equal(announcements.take(worker), undefined);
  announcements.put(worker, announce({ generation: 7 }));
  announcements.put(worker, announce({ generation: 8 }));
  assert.equal(announcements.take(worker)?.generation, 8);
  assert.equal(announcements.take(worker), undefined);
  announcements.put(worker, announce());
  assert.equal(announcements.take(master), undefined);
  assert.equal(announcements.take(worker), undefined);
});
