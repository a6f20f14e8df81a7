/**
 * The keys of a group rule, declared once: which agents it fits, and the groups that these get when
 * the master first hears of them. A condition that is left out fits every agent.
 */
import { groupNameExpected, groupsMax, isGroupName } from '../agents/agent.ts';
import { labelConditionProblem, subnetProblem } from '../agents/group-rules.ts';
import { list, text } from './kinds.ts';
import { ValueProblem } from './key.ts';

/** The keys of a `[[group_rules]]` table, in the order in which they are shown. */
export const groupRuleKeys = {
  name: text({
    doc: 'Names of agents, where `*` stands for any characters and `?` for one; "" fits all',
    default: '',
    pattern: /^.{0,128}$/,
    expected: 'must be a pattern of at most 128 characters such as "web-*"',
  }),
  os_platform: text({
    doc: 'Platforms of agents, such as "ubuntu", with the same signs; "" fits all',
    default: '',
    pattern: /^.{0,64}$/,
    expected: 'must be a pattern of at most 64 characters such as "windows" or "rhel*"',
  }),
  label: text({
    doc: 'A label of the agent, as "key=value", or as "key" where the value does not matter; ' +
      '"" fits all',
    default: '',
    pattern: /^/,
    expected: 'must be a label',
    expand: checked(labelConditionProblem),
  }),
  subnet: text({
    doc: 'Addresses of agents, such as "10.1.0.0/16" or "fd00::/8"; "" fits all',
    default: '',
    pattern: /^/,
    expected: 'must be a subnet',
    expand: checked(subnetProblem),
  }),
  groups: list({
    doc: 'Groups that the agents get, in this order',
    required: ['web'],
    kind: 'groups',
    itemsMin: 1,
    itemsMax: groupsMax,
    pattern: /^/,
    expected: `must be a list of 1 to ${groupsMax} groups such as ["web", "linux"]`,
    problemOf: (name) => isGroupName(name) ? undefined : `is no group: a name ${groupNameExpected}`,
  }),
} as const;

// ---------------------------------------------------------------------------------------------

/** Passes a condition on if nothing is wrong with it. "" is none. */
function checked(problemOf: (text: string) => string | undefined): (text: string) => string {
  return (condition) => {
    const problem = condition === '' ? undefined : problemOf(condition);
    if (problem !== undefined) throw new ValueProblem(problem);
    return condition;
  };
}
