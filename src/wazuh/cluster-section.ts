/**
 * The `<cluster>` section of an `ossec.conf`: what a node of a Wazuh cluster is told about it. Pure.
 *
 * The rules, their order and the texts are those of real nodes; they stop at the first problem, here
 * all are told. Options that are not named here are passed over, `haproxy_helper` among them.
 */
import { ClusterError } from '../base/errors.ts';
import { elementsNamed, readElements, type XmlElement } from './ossec-xml.ts';

/** What a section says, with the values that real nodes take where it says nothing. */
export interface ClusterSection {
  /** Also where there is no section. */
  readonly isDisabled: boolean;
  readonly name: string;
  readonly nodeName: string;
  readonly nodeType: 'master' | 'worker';
  readonly key: string;
  readonly port: number;
  /** Where a master listens. */
  readonly bindAddress: string;
  /** The first of `<nodes>`: the address of the master. */
  readonly masterAddress: string;
  readonly isHidden: boolean;
}

/** Something wrong with a section. */
export interface SectionProblem {
  /** Line in the file, from 1; 0 where it is about what is not there. */
  readonly line: number;
  readonly text: string;
}

/** What came of reading a file. */
export interface SectionReading {
  /** Undefined where there are problems. */
  readonly section: ClusterSection | undefined;
  readonly problems: readonly SectionProblem[];
  readonly warnings: readonly SectionProblem[];
}

const reservedNodes = ['localhost', 'NODE_IP', '0.0.0.0', '127.0.1.1'];

/** The section of a file. */
export function readClusterSection(source: string): SectionReading {
  let roots: readonly XmlElement[];
  try {
    roots = readElements(source);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const problem = {
      line: Number(/line (\d+)/.exec(error.message)?.[1] ?? 0),
      text: error.message,
    };
    return { section: undefined, problems: [problem], warnings: [] };
  }
  const sections = roots.flatMap((root) => elementsNamed(root.children, 'cluster'));
  return new SectionReader(sections).read();
}

/** Reads one section and notes what is wrong with it. */
class SectionReader {
  readonly #sections: readonly XmlElement[];
  readonly #section: XmlElement | undefined;
  readonly #problems: SectionProblem[] = [];
  readonly #warnings: SectionProblem[] = [];

  constructor(sections: readonly XmlElement[]) {
    this.#sections = sections;
    this.#section = sections[sections.length - 1];
  }

  read(): SectionReading {
    if (this.#sections.length > 1) {
      this.#warn(this.#section, 'There are several <cluster> sections: the last one counts');
    }
    const isDisabled = this.#section === undefined || this.#isDisabled();
    const key = this.#key();
    const nodeType = this.#nodeType();
    const port = this.#port();
    const masterAddress = this.#masterAddress();
    const section: ClusterSection = {
      isDisabled,
      name: this.#name(),
      nodeName: this.#nodeName(),
      nodeType,
      key,
      port,
      bindAddress: this.#text('bind_addr') ?? '0.0.0.0',
      masterAddress,
      isHidden: this.#text('hidden') === 'yes',
    };
    // Real nodes check nothing else of a cluster that is switched off.
    const problems = isDisabled
      ? this.#problems.filter(({ text }) => text.includes("'disabled'"))
      : this.#problems;
    const isValid = problems.length === 0;
    return { section: isValid ? section : undefined, problems, warnings: this.#warnings };
  }

  #isDisabled(): boolean {
    const found = this.#text('disabled') ?? 'no';
    if (found !== 'yes' && found !== 'no') {
      this.#refuse(
        'disabled',
        `Allowed values for 'disabled' field are 'yes' and 'no'. Found: '${found}'`,
      );
    }
    return found === 'yes';
  }

  #key(): string {
    const key = this.#text('key') ?? '';
    if (key === '') this.#refuse('key', 'Unspecified key');
    else if (!/^[A-Za-z0-9_]{32}$/.test(key)) {
      this.#refuse(
        'key',
        'Key must be 32 characters long and only have alphanumeric characters',
      );
    }
    return key;
  }

  #nodeType(): 'master' | 'worker' {
    const found = this.#text('node_type') ?? 'master';
    if (found === 'client') {
      this.#warn(this.#last('node_type'), 'The node type "client" is an old name of "worker"');
    } else if (found !== 'master' && found !== 'worker') {
      this.#refuse(
        'node_type',
        `Invalid node type ${found}. Correct values are master and worker`,
      );
    }
    return found === 'master' ? 'master' : 'worker';
  }

  #port(): number {
    const found = this.#text('port') ?? '1516';
    const port = Number(found);
    if (!/^[0-9]+$/.test(found)) this.#refuse('port', 'Cluster port must be an integer.');
    else if (port <= 1024 || port >= 65_535) {
      this.#refuse('port', 'Port must be higher than 1024 and lower than 65535.');
    }
    return port;
  }

  #masterAddress(): string {
    const nodes = this.#last('nodes');
    const addresses = elementsNamed(nodes?.children ?? [], 'node').map(({ text }) => text);
    if (addresses.length === 0) addresses.push('NODE_IP');
    const reserved = addresses.filter((address) => reservedNodes.includes(address));
    if (reserved.length > 0) {
      this.#refuse('nodes', `Invalid elements in node fields: ${reserved.join(', ')}.`);
    }
    if (addresses.length > 1) {
      this.#warn(nodes, 'There are several <node> elements: the first one counts');
    }
    return addresses[0]!;
  }

  /** A name with a space would make two words of one in a hello. */
  #name(): string {
    const name = this.#text('name') ?? 'wazuh';
    if (/\s/.test(name)) this.#refuse('name', `The name "${name}" contains a space`);
    return name;
  }

  #nodeName(): string {
    const name = this.#text('node_name') ?? 'node01';
    if (!/^[A-Za-z0-9_-]+$/.test(name)) {
      const { line = 0 } = this.#last('node_name') ?? {};
      this.#problems.push({ line, text: `Error 3060 - Invalid node name format: ${name}` });
    }
    return name;
  }

  #last(option: string): XmlElement | undefined {
    return elementsNamed(this.#section?.children ?? [], option).at(-1);
  }

  #text(option: string): string | undefined {
    return this.#last(option)?.text;
  }

  #refuse(option: string, reason: string): void {
    const { line = 0 } = this.#last(option) ?? this.#section ?? {};
    this.#problems.push({ line, text: `Error 3004 - Error in cluster configuration: ${reason}` });
  }

  #warn(element: XmlElement | undefined, text: string): void {
    this.#warnings.push({ line: element?.line ?? 0, text });
  }
}
