/** The groups of a node, as commands show them: the directories of its files. */
import type { GroupCatalogue } from '../agents/groups.ts';
import { isGroupName } from '../agents/agent.ts';
import { displayPath, fromText } from '../base/bytes.ts';
import { Mutex } from '../base/async.ts';
import type { Config } from '../config/config.ts';
import { DirectoryNames, type NamesChange } from '../files/directory-names.ts';
import type { Manifest } from '../files/manifest.ts';
import type { Clock } from '../ports.ts';
import type { GroupFacts, GroupFile, GroupSource } from './agent-operations.ts';

/** The groups, as the tables of files tell. */
export class Groups implements GroupCatalogue {
  readonly #directories: DirectoryNames;
  readonly #table: (set: string) => Manifest | undefined;
  readonly #mutex = new Mutex();

  /** @param table the present table of a set, if there is one */
  constructor(
    ports: { readonly clock: Clock },
    config: Config,
    table: (set: string) => Manifest | undefined,
  ) {
    const directory = fromText(config.agents.groupsDirectory);
    this.#directories = new DirectoryNames(ports, directory, config.sets);
    this.#table = table;
  }

  has(group: string): boolean {
    return this.#directories.has(group);
  }

  /** Goes on to the present tables. */
  async refresh(): Promise<NamesChange> {
    return await this.#mutex.run(async () => {
      const { appeared, vanished } = await this.#directories.follow(this.#table);
      return { appeared: appeared.filter(isGroupName), vanished: vanished.filter(isGroupName) };
    });
  }

  /** How many there are. */
  get count(): number {
    let count = 0;
    for (const name of this.#directories.contents.keys()) if (isGroupName(name)) count++;
    return count;
  }

  /** All groups, in the order of their names. */
  list(): GroupFacts[] {
    return [...this.#directories.contents]
      .filter(([name]) => isGroupName(name))
      .map(([name, content]) => ({ name, ...content }))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** The files of a group, in the order of their paths; undefined where there is none such. */
  async files(group: string): Promise<GroupFile[] | undefined> {
    if (!this.has(group)) return undefined;
    const files = await this.#directories.filesOf(group);
    return files
      .map(({ path, size }) => ({ path: displayPath(path), size }))
      .sort((left, right) => (left.path < right.path ? -1 : 1));
  }
}

/** The groups of a worker, for commands: those of its own files, whoever assigns agents to them. */
export abstract class WorkerGroupView implements GroupSource {
  protected readonly catalogue: Groups;

  constructor(catalogue: Groups) {
    this.catalogue = catalogue;
  }

  async groups(): Promise<GroupFacts[]> {
    await this.catalogue.refresh();
    return this.catalogue.list();
  }

  get groupsCount(): number {
    return this.catalogue.count;
  }

  async groupFiles(name: string): Promise<GroupFile[] | undefined> {
    await this.catalogue.refresh();
    return await this.catalogue.files(name);
  }

  abstract confirmedMs(): number | undefined;
}
