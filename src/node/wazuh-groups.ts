/** The groups of a worker in a Wazuh cluster, as commands show them. */
import type { Config } from '../config/config.ts';
import type { Manifest } from '../files/manifest.ts';
import type { PlainPorts } from '../ports.ts';
import type { GroupSource } from './agent-operations.ts';
import { Groups } from './groups.ts';

/** What the groups of a worker stand on. */
export interface WazuhGroupPorts extends PlainPorts {
  /** The table of a set as it is on this node's disk. */
  readonly actual: (set: string) => Manifest;
}

/** The groups of a worker in a Wazuh cluster. */
export class WazuhGroups implements GroupSource {
  readonly #groups: Groups;

  constructor(ports: WazuhGroupPorts, config: Config) {
    this.#groups = new Groups(ports, config, ports.actual);
  }

  async groups() {
    await this.#groups.refresh();
    return this.#groups.list();
  }

  get groupsCount(): number {
    return this.#groups.count;
  }

  async groupFiles(name: string) {
    await this.#groups.refresh();
    return await this.#groups.files(name);
  }

  confirmedMs(): number | undefined {
    return undefined;
  }
}
