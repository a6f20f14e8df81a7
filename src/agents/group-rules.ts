/**
 * Group rules: which groups an agent gets when the master first hears of it.
 *
 * A rule has conditions, all of which must hold, and groups. What the configuration leaves out is
 * "" and holds for every agent. Groups that do not exist are left out; a rule of which none exists
 * does not count, so that the next one has its chance.
 */
import { defaultGroup, groupsMax, type Label } from './agent.ts';
import { isInSubnet, parseSubnet } from './ip-address.ts';

/** A rule as it is configured. */
export interface GroupRule {
  /** Pattern of the agent's name: `*` any characters, `?` one. */
  readonly name: string;
  /** Pattern of its platform. */
  readonly osPlatform: string;
  /** `key=value`, or `key` with any value. */
  readonly label: string;
  /** `10.0.0.0/8`, `fd00::/8`, or one address. */
  readonly subnet: string;
  /** Not empty. */
  readonly groups: readonly string[];
}

/** Whether the first rule that fits decides, or all that fit. */
export type GroupMatch = 'first' | 'all';

/** What rules look at. */
export interface RuleSubject {
  readonly name: string;
  readonly ip: string | null;
  readonly osPlatform: string | null;
  readonly labels: readonly Label[];
}

/** What the rules make of an agent. */
export interface CalculatedGroups {
  /** Empty where no rule gives a group that exists, and there is no `default` either. */
  readonly groups: readonly string[];
  /** Groups that it would have had if they existed. */
  readonly missing: readonly string[];
}

/** The groups of new agents, by rules. */
export class GroupRules {
  readonly #rules: readonly CompiledRule[];
  readonly #match: GroupMatch;

  constructor(rules: readonly GroupRule[], match: GroupMatch) {
    this.#rules = rules.map(compile);
    this.#match = match;
  }

  /** Whether there are no rules, so that all agents get the same. */
  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The groups that an agent gets; `exists` says which groups there are. */
  groupsOf(subject: RuleSubject, exists: (group: string) => boolean): CalculatedGroups {
    const groups = new Set<string>();
    const missing = new Set<string>();
    for (const rule of this.#rules) {
      if (!rule.conditions.every((holds) => holds(subject))) continue;
      for (const group of rule.groups) (exists(group) ? groups : missing).add(group);
      if (groups.size > 0 && this.#match === 'first') break;
    }
    if (groups.size === 0) (exists(defaultGroup) ? groups : missing).add(defaultGroup);
    return { groups: [...groups].slice(0, groupsMax), missing: [...missing] };
  }
}

/** What is wrong with a label condition; undefined where nothing is. */
export function labelConditionProblem(text: string): string | undefined {
  return /^[^=]/.test(text) ? undefined : 'must be a label such as "role=web" or "role"';
}

/** What is wrong with a subnet; undefined where nothing is. */
export function subnetProblem(text: string): string | undefined {
  return parseSubnet(text) !== undefined
    ? undefined
    : 'must be a subnet such as "10.1.0.0/16", "fd00::/8" or "10.0.0.7"';
}

// ---------------------------------------------------------------------------------------------

type Condition = (subject: RuleSubject) => boolean;

interface CompiledRule {
  readonly conditions: readonly Condition[];
  readonly groups: readonly string[];
}

function compile(rule: GroupRule): CompiledRule {
  const { name, osPlatform, label, subnet, groups } = rule;
  const conditions: Condition[] = [];
  if (name !== '') conditions.push((subject) => fits(name, subject.name));
  if (osPlatform !== '') {
    conditions.push((subject) => fits(osPlatform, subject.osPlatform ?? ''));
  }
  if (label !== '') conditions.push(labelCondition(label));
  if (subnet !== '') {
    const range = parseSubnet(subnet);
    conditions.push(({ ip }) => range !== undefined && ip !== null && isInSubnet(ip, range));
  }
  return { conditions, groups };
}

function labelCondition(text: string): Condition {
  const [key, ...rest] = text.split('=');
  const value = rest.length === 0 ? undefined : rest.join('=');
  return ({ labels }) =>
    labels.some(([itsKey, itsValue]) =>
      itsKey === key && (value === undefined || itsValue === value)
    );
}

/** Whether a text fits a pattern of literal characters, `*` and `?`. */
function fits(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let starAt = 0;
  for (let i = 0; i < text.length;) {
    if (pattern[at] === '*') {
      star = at;
      starAt = i;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[i])) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      // The last star takes one character more. Earlier ones need not: what follows fits anyway.
      starAt += 1;
      i = starAt;
      at = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
