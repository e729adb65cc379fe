// The local stack as people start it, with the development provider or with oidc-provider in its place.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const targetFolder = process.env.CARGO_TARGET_DIR ?? here('../../target');

const client = {
  client_id: 'accounts+linking:50%',
  client_secret: 'a secret/with=every+sort&of%character:in it',
};

/** A program that says `listening on <origin>` once it answers, and ends when it is told to. */
class Program {
  #child;

  #reader;

  #lines;

  constructor(command, args, environment) {
    this.#child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** The program's next line. */
  async line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#child.spawnfile} ended before it said what was expected`);
    return value;
  }

  /** Where the program listens. */
  async origin() {
    const line = await this.line();
    const [, origin] = /^listening on (\S+)$/.exec(line) ?? [];
    if (!origin) throw new Error(`not an origin: ${line}`);
    return origin;
  }

  /** From now on nobody listens; a program that nobody reads would stop when its pipe is full. */
  ignore() {
    this.#reader.close();
    this.#child.stdout.resume();
  }

  write(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  async stop() {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

/**
 * Starts the system.
 *
 * @param {'development' | 'oidc-provider'} magento who plays Magento.com
 * @param {Record<string, string>} variables of contract section 8
 * @returns {Promise<{ origin: string, stop: () => Promise<void> }>}
 */
export const start = async (magento, variables = {}) => {
  const environment = { PORT: '0', ...variables };
  let provider;
  if (magento === 'oidc-provider') {
    provider = new Program(process.execPath, ['--no-warnings', here('../oidc-provider/provider.mjs')], {});
    environment.PROVIDERS = JSON.stringify([{
      id: 'magento',
      name: 'Magento.com',
      issuer: await provider.origin(),
      client_authentication: 'client_secret_basic',
      ...client,
    }]);
  }
  const stack = new Program(`${targetFolder}/debug/local-stack`, [], environment);
  const origin = await stack.origin();
  stack.ignore();
  if (provider) {
    provider.write(JSON.stringify({ register: { ...client, redirect_uris: [`${origin}/sso/magento/callback`] } }));
    await provider.line();
  }
  return {
    origin,
    stop: async () => {
      await stack.stop();
      await provider?.stop();
    },
  };
};
