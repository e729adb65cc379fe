// Magento.com, played by a certified OpenID provider that nobody here wrote.
//
// It listens on a free port of 127.0.0.1 and says where: `listening on http://magento.localhost:<port>`. Each further line on its
// standard input is a command in JSON, each answered by one line of JSON:
//
//   {"register": {…}}   the metadata of a client (OpenID Connect Dynamic Client Registration 1.0 section 2)
//   {"change_email": {"sub": …, "email": …}}   a person's new address
//   {"requests": true}  how many requests each endpoint has answered, by path
//
// It ends with its standard input, so that it never outlives the test that started it. The environment chooses a variant:
// ID_TOKEN_SIGNED_RESPONSE_ALG (RS256 by default, or ES256), PUSHED_AUTHORIZATION_REQUESTS (`no` to have no such endpoint).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { Provider, interactionPolicy } from 'oidc-provider';

import * as people from './people.mjs';
import { chooseAccountPage, createAccountPage, errorPage, signInPage } from './pages.mjs';

// Standard output is for answers; the provider's notices about its defaults are not among them.
console.info = () => {};

const alg = process.env.ID_TOKEN_SIGNED_RESPONSE_ALG ?? 'RS256';
const pushedAuthorizationRequests = process.env.PUSHED_AUTHORIZATION_REQUESTS !== 'no';

const clients = new Map();
const requests = new Map();

/** Where the provider keeps everything: its clients as registered, the rest until it ends. */
class Memory {
  static #kept = new Map();

  #model;

  constructor(model) {
    this.#model = model;
  }

  #key(id) {
    return `${this.#model}:${id}`;
  }

  async find(id) {
    return this.#model === 'Client' ? clients.get(id) : Memory.#kept.get(this.#key(id));
  }

  /** Everything of this model, with the keys it is kept under. */
  #all() {
    return [...Memory.#kept].filter(([key]) => key.startsWith(`${this.#model}:`));
  }

  async findByUid(uid) {
    return this.#all().find(([, kept]) => kept.uid === uid)?.[1];
  }

  async upsert(id, payload) {
    Memory.#kept.set(this.#key(id), payload);
  }

  async consume(id) {
    Memory.#kept.get(this.#key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Memory.#kept.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, kept] of this.#all()) {
      if (kept.grantId === grantId) Memory.#kept.delete(key);
    }
  }
}

/** A fresh signing key. */
const signingKey = () => {
  const { privateKey } = alg === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'magento-1', use: 'sig', alg };
};

/** The provider's own prompts, and those of Initiating User Registration 1.0 and OIDC Core 3.1.2.1 it does not come with. */
const prompts = () => {
  const policy = interactionPolicy.base();
  policy.add(new interactionPolicy.Prompt({ name: 'create', requestable: true }), 0);
  policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 1);
  return policy;
};

/** Nobody is asked for consent: accounts.magento.cloud and Magento.com belong together. */
const grantEverything = async (ctx) => {
  const grant = new ctx.oidc.provider.Grant({
    clientId: ctx.oidc.client.clientId,
    accountId: ctx.oidc.session.accountId,
  });
  grant.addOIDCScope('openid email');
  await grant.save();
  return grant;
};

const configuration = {
  adapter: Memory,
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  clientDefaults: { id_token_signed_response_alg: alg },
  // The ID token itself carries what the scope `email` asks for; no UserInfo request is needed.
  conformIdTokenClaims: false,
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  discovery: { prompt_values_supported: ['none', 'login', 'create', 'select_account'] },
  features: {
    devInteractions: { enabled: false },
    pushedAuthorizationRequests: { enabled: pushedAuthorizationRequests },
  },
  findAccount: (_ctx, sub) => {
    const person = people.find(sub);
    return person && { accountId: sub, claims: () => person };
  },
  interactions: { policy: prompts(), url: (_ctx, { uid }) => `/interaction/${uid}` },
  jwks: { keys: [signingKey()] },
  loadExistingGrant: grantEverything,
  pkce: { required: () => true },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = errorPage(out);
  },
  scopes: ['openid', 'email'],
};

const readForm = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
};

const show = (response, status, html) => {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(html);
};

/** One step of somebody who has something to decide before the client gets its answer. */
const interact = async (provider, request, response) => {
  const { prompt, session } = await provider.interactionDetails(request, response);
  const current = session && people.find(session.accountId);
  const pageFor = (name) => {
    if (name === 'create') return createAccountPage();
    return name === 'select_account' && current ? chooseAccountPage(current) : signInPage();
  };
  if (request.method !== 'POST') {
    show(response, 200, pageFor(prompt.name));
    return;
  }

  const form = await readForm(request);
  const [decision, email, password] = ['decision', 'email', 'password'].map((name) => form.get(name));
  const finishAs = (person) => provider.interactionFinished(request, response, {
    login: { accountId: person.sub },
    [prompt.name]: { accountId: person.sub },
  }, { mergeWithLastSubmission: false });

  if (decision === 'cancel') {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
  } else if (decision === 'create') {
    show(response, 200, createAccountPage());
  } else if (decision === 'other') {
    show(response, 200, signInPage());
  } else if (password !== null) {
    const person = people.authenticate(email, password);
    if (person) await finishAs(person);
    else show(response, 403, signInPage({ email, problem: 'This address and this password do not belong together.' }));
  } else if (email !== null) {
    const person = people.register(email);
    if (person) await finishAs(person);
    else show(response, 409, createAccountPage({ email, problem: 'This address has an account already.' }));
  } else if (current) {
    await finishAs(current);
  } else {
    show(response, 200, signInPage());
  }
};

const obey = (command) => {
  if (command.register) {
    clients.set(command.register.client_id, command.register);
    return { registered: command.register.client_id };
  }
  if (command.change_email) {
    people.changeEmail(command.change_email.sub, command.change_email.email);
    return { changed: command.change_email.sub };
  }
  return Object.fromEntries(requests);
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://magento.localhost:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  provider.on('server_error', (_ctx, error) => console.error(error));
  const answer = provider.callback();

  server.on('request', (request, response) => {
    const { pathname } = new URL(request.url, issuer);
    requests.set(pathname, (requests.get(pathname) ?? 0) + 1);
    if (!pathname.startsWith('/interaction/')) {
      answer(request, response);
      return;
    }
    interact(provider, request, response).catch(({ statusCode, error, error_description }) => {
      show(response, statusCode ?? 500, errorPage({ error: error ?? 'internal_error', error_description }));
    });
  });

  console.log(`listening on ${issuer}`);
  createInterface({ input: process.stdin })
    .on('line', (line) => console.log(JSON.stringify(obey(JSON.parse(line)))))
    .on('close', () => process.exit(0));
});
