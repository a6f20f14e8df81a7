/**
 * THE table of the commands that nodes of a Wazuh cluster send each other over TCP: who sends them,
 * how their arguments and their replies lie in the payload.
 *
 * Names and texts are the protocol. Everything else is inferred from it: what a request wants and
 * gives, and the handlers that a node must have.
 */
import { list, number, record, text as shortText, whole } from '../base/readers.ts';
import {
  decimal,
  fileEnd,
  filePiece,
  hello,
  json,
  type Layout,
  type LayoutType,
  nothing,
  permission,
  raw,
  routedBytes,
  routedString,
  stringPiece,
  taskArchive,
  taskFailure,
  text,
  word,
} from './layouts.ts';

/** Who may send a command. */
export type Sender = 'master' | 'worker' | 'both';

/** One command. */
export interface Command<Q, R> {
  readonly from: Sender;
  readonly request: Layout<Q>;
  readonly reply: Layout<R>;
}

function command<Q, R>(from: Sender, request: Layout<Q>, reply: Layout<R>): Command<Q, R> {
  return { from, request, reply };
}

/** What became of data that a peer had been sent; `updated_chunks` counts its pieces. */
const applied = json(
  record({
    updated_chunks: whole(0),
    error_messages: list(shortText(64 * 1024), 100_000),
    time_spent: number,
  }),
  'A result',
);

/** Every command. */
export const commands = {
  // Both ends: test, files, strings, giving up, calls.
  'echo': command('both', raw, raw),
  'new_file': command('both', word, text),
  'file_upd': command('both', filePiece, text),
  'file_end': command('both', fileEnd, text),
  /** Size of the string → its id. */
  'new_str': command('both', decimal, word),
  'str_upd': command('both', stringPiece, text),
  /** Size of the string that will not come → id of the one that was freed, or `None`. */
  'err_str': command('both', decimal, word),
  'cancel_task': command('both', taskFailure, text),
  'dapi': command('both', routedBytes, text),
  'dapi_res': command('both', routedString, text),
  'dapi_err': command('both', routedBytes, text),

  // Worker to master: joining and keeping alive.
  'hello': command('worker', hello, text),
  'echo-c': command('worker', raw, raw),

  // Worker to master: integrity. The reply to `syn_i_w_m` names a task; `_e` says that the archive
  // of the task is complete, `_r` that something failed.
  'syn_i_w_m_p': command('worker', nothing, permission),
  'syn_i_w_m': command('worker', nothing, word),
  'syn_i_w_m_e': command('worker', taskArchive, text),
  'syn_i_w_m_r': command('worker', taskFailure, text),
  'syn_e_w_m': command('worker', nothing, word),
  'syn_e_w_m_e': command('worker', taskArchive, text),

  // Worker to master: agents, as the id of a string, which the reply repeats.
  'syn_a_w_m_p': command('worker', nothing, permission),
  'syn_a_w_m': command('worker', word, word),

  // Worker to master: what became of groups; `_c` asks for the groups of all agents.
  'syn_w_g_e': command('worker', applied, text),
  'syn_w_g_err': command('worker', text, text),
  'syn_w_g_c': command('worker', nothing, text),
  'syn_wgc_e': command('worker', applied, text),
  'syn_wgc_err': command('worker', text, text),

  // Worker to master: questions of those who use the worker.
  'get_nodes': command('worker', raw, raw),
  'get_health': command('worker', raw, raw),
  'sendsync': command('worker', routedBytes, text),

  // Master to worker.
  'echo-m': command('master', raw, raw),
  'syn_m_c_ok': command('master', nothing, text),
  'syn_m_c': command('master', nothing, word),
  'syn_m_c_e': command('master', taskArchive, text),
  'syn_m_c_r': command('master', taskFailure, text),
  'syn_g_m_w': command('master', word, word),
  'syn_g_m_w_c': command('master', word, word),
  'syn_m_a_e': command('master', applied, text),
  'syn_m_a_err': command('master', text, text),
  'sendsyn_res': command('master', routedString, text),
  'sendsyn_err': command('master', routedBytes, text),
} as const;

/** The name of a command. */
export type CommandName = keyof typeof commands;

/** What a command carries. */
export type RequestOf<N extends CommandName> = LayoutType<(typeof commands)[N]['request']>;

/** What its reply carries. */
export type ReplyOf<N extends CommandName> = LayoutType<(typeof commands)[N]['reply']>;

/** A command, with the types of its request and its reply. */
export function commandOf<N extends CommandName>(name: N): Command<RequestOf<N>, ReplyOf<N>> {
  // What the table says of each name the compiler cannot say of any.
  return commands[name] as unknown as Command<RequestOf<N>, ReplyOf<N>>;
}

/** Names of the commands that one end sends. */
export type CommandFrom<S extends Sender> = {
  [N in CommandName]: (typeof commands)[N]['from'] extends infer F ? F extends S | 'both' ? N
    : never
    : never;
}[CommandName];

/** Whether a name is that of a command which the sender may send. */
export function isCommandFrom(name: string, sender: 'master' | 'worker'): name is CommandName {
  if (!Object.hasOwn(commands, name)) return false;
  const { from } = commands[name as CommandName];
  return from === sender || from === 'both';
}
