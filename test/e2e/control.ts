/** Requests to the control socket of a node, as `curl --unix-socket` makes them. */
import { request } from 'node:http';

/** What came back. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A daemon that does not answer within this is not there, ms. */
const answerLimitMs = 10_000;

/** Asks over a Unix socket; a body makes it a POST. */
export function control(socket: string, path: string, body?: unknown): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const call = request({ socketPath: socket, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown });
        } catch (error) {
          reject(error as Error);
        }
      });
      response.on('error', reject);
    });
    call.setTimeout(answerLimitMs, () => call.destroy(new Error('No answer')));
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
