/**
 * Groups as directories of the master's tree: making one, and removing one.
 *
 * Only files that belong to a file set are touched, by way of the Files port, which leaves the root
 * in no case. The tree is not scanned meanwhile; what was changed is hinted at, so that a look at
 * the tree after this finds it.
 */
import { type BytePath, displayPath, fromText } from '../base/bytes.ts';
import { ClusterError } from '../base/errors.ts';
import type { SetTable } from '../files/file-set.ts';
import type { LocalTree } from '../files/local-tree.ts';
import { joinPath } from '../files/paths.ts';
import type { Files } from '../ports.ts';

/** The file that a new group has. */
const groupFile = 'agent.conf';

const groupFileText = `<agent_config>
  <!-- Configuration of the agents of this group. -->
</agent_config>
`;

/** The name under which it is staged: one at a time, and what a crash left is written over. */
const stagedName = 'new-group';

/** What making and removing groups needs. */
export interface GroupFilesPorts {
  readonly files: Files;
  readonly sets: SetTable;
  readonly tree: LocalTree;
}

/** What lies below the directory of a group; paths are relative to the root. */
interface Content {
  readonly files: readonly BytePath[];
  /** The directory itself is the first one, and each comes before those in it. */
  readonly directories: readonly BytePath[];
  /** Links, devices and the like. */
  readonly others: readonly BytePath[];
}

/** The directories of groups. */
export class GroupFiles {
  readonly #ports: GroupFilesPorts;
  readonly #directory: BytePath;

  /** @param directory that of all groups, relative to the root */
  constructor(ports: GroupFilesPorts, directory: string) {
    this.#ports = ports;
    this.#directory = fromText(directory);
  }

  /**
   * Makes the directory of a group, with a file in it.
   * @throws ClusterError `refused` where no set chooses that file, `changed` where it is there
   */
  create(group: string): Promise<void> {
    return this.#ports.tree.exclusively(async () => {
      const { files, sets, tree } = this.#ports;
      const path = joinPath(this.#pathOf(group), groupFile);
      const set = sets.setOf(path);
      if (set === undefined) {
        throw new ClusterError(
          'refused',
          `No file set chooses "${displayPath(path)}": workers never had it`,
          {
            remedy: 'Make [[sets]] or agents.groups_directory fit',
          },
        );
      }
      const staged = await files.stage(stagedName, 0);
      await staged.write(new TextEncoder().encode(groupFileText));
      const { mode, owner, group: ownerGroup, directoryMode } = set;
      await staged.finish({ mode, owner, group: ownerGroup, mtimeMs: undefined });
      await files.flushStaged([stagedName]);
      const [outcome] = await files.place([{ name: stagedName, path, directoryMode, isNew: true }]);
      if (outcome instanceof Error) {
        await files.discardStaged([stagedName]);
        throw outcome;
      }
      await files.flushDirectories([this.#pathOf(group), this.#directory]);
      tree.hint(path);
    });
  }

  /**
   * Why a group cannot be removed: it holds what no command has made, or what none can remove.
   * Undefined where it can.
   */
  async removalProblem(group: string, isForced: boolean): Promise<string | undefined> {
    const { files, others } = await this.#content(group);
    if (others.length > 0) {
      return `"${displayPath(others[0]!)}" is no file that muster could remove`;
    }
    if (isForced || files.length === 0) return undefined;
    const path = joinPath(this.#pathOf(group), groupFile);
    const strange = files.find((file) => file !== path);
    if (strange !== undefined) {
      return `group "${group}" holds files, such as "${displayPath(strange)}"`;
    }
    const [bytes] = await this.#ports.files.readAll([path], 4096);
    const text = bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : undefined;
    return text === groupFileText ? undefined : `"${displayPath(path)}" has been edited`;
  }

  /** Removes the directory of a group with all that is in it. */
  remove(group: string): Promise<void> {
    return this.#ports.tree.exclusively(async () => {
      const { files, tree } = this.#ports;
      const content = await this.#content(group);
      for (const path of content.files) {
        await files.remove(path);
        tree.hint(path);
      }
      for (const path of content.directories.toReversed()) {
        await files.removeDirectory(path);
        tree.hint(path);
      }
      await files.flushDirectories([this.#directory]);
    });
  }

  #pathOf(group: string): BytePath {
    return joinPath(this.#directory, fromText(group));
  }

  async #content(group: string): Promise<Content> {
    const files: BytePath[] = [];
    const others: BytePath[] = [];
    const directories = [this.#pathOf(group)];
    for (const directory of directories) {
      const { items, unreadable } = await this.#ports.files.list(directory, false);
      for (const { name, kind } of items) {
        const path = joinPath(directory, name);
        if (kind === 'file') files.push(path);
        else if (kind === 'directory') directories.push(path);
        else others.push(path);
      }
      for (const { shownName } of unreadable) others.push(joinPath(directory, shownName));
    }
    return { files, directories, others };
  }
}
