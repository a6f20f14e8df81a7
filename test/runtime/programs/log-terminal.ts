/** Logs some lines to the terminal: `log-terminal.ts text|json color|plain`. */
import process from 'node:process';
import { createLog } from '../../../src/runtime/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const [format, color] = process.argv.slice(2);
const log = createLog({
  file: undefined,
  level: 'debug',
  format: format === 'json' ? 'json' : 'text',
  terminal: true,
  color: color === 'color',
  clock: systemClock,
});
log.logger.log('info', 'Started');
const logger = log.logger.child('Worker w1').child('Integrity check');
logger.log('debug', 'Nothing to do');
logger.log('warning', 'Odd');
logger.log('error', 'Bad', { filesCount: 3 });
logger.log('error', 'Bad', { filesCount: 3 });
log.close();
