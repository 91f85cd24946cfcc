// oidc-provider with one application and one mail server, what a person does at its pages, and what a
// test tells it, line by line.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const [first, ...rest] = process.argv.slice(2);

if (first === 'browse') await browse(rest[0], { login: rest[1] });
else if (first === 'type') await browse(`${rest[0]}/device`, { user_code: rest[1], login: rest[2] });
else await serve(JSON.parse(first));

async function serve({ lives, client, mailServer }) {
  const { default: Provider } = await import('oidc-provider');
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  const kept = new Map();
  // Every token that was ever given: the name of an opaque one is all of it.
  const given = new Set();
  const provider = new Provider(url, {
    adapter: keeper(kept, given),
    clients: [{
      ...client,
      // RFC 8252, section 7.3: any port of this machine.
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    }, {
      ...mailServer,
      redirect_uris: [],
      grant_types: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
    }],
    cookies: { keys: ['a key for tests'] },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
    },
    pkce: { required: () => true },
    ttl: { AccessToken: lives, Grant: 3600, IdToken: 3600, RefreshToken: 3600, Session: 3600, Interaction: 3600 },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
  });
  const told = watch(provider);
  server.on('request', provider.callback());
  console.log(`at ${url}`);
  for await (const line of createInterface({ input: process.stdin })) {
    const { word, value } = JSON.parse(line);
    console.log(`= ${JSON.stringify(await obey(word, value) ?? null)}`);
  }
  process.exit();

  async function obey(word, value) {
    if (word === 'asked') return told.asked;
    if (word === 'consent') return consent(value);
    if (word === 'trouble') told.trouble = value;
    if (word === 'revoke') await revoke(value);
    if (word === 'spoil') kept.forEach((_, key) => key.startsWith('AccessToken:') && kept.delete(key));
    if (word === 'secrets') return [...given];
    return undefined;
  }

  // What a person's visit to the pages would have ended with.
  async function consent(accountId) {
    const known = await provider.Client.find(client.client_id);
    const grant = new provider.Grant({ accountId, clientId: client.client_id });
    grant.addOIDCScope('openid offline_access');
    const grantId = await grant.save();
    const token = new provider.RefreshToken({
      accountId, client: known, grantId, gty: 'authorization_code', scope: 'openid offline_access', rotations: 0,
    });
    return token.save();
  }

  async function revoke(accountId) {
    for (const [key, payload] of [...kept]) {
      if (key.startsWith('Grant:') && payload.accountId === accountId) {
        await provider.RefreshToken.revokeByGrantId(payload.jti);
        kept.delete(key);
      }
    }
  }
}

// Counts what is asked at its door for tokens, and keeps that door shut while there is trouble.
function watch(provider) {
  const asked = { grants: {}, refreshed: {}, reused: 0, at_once: 0, in_trouble: 0 };
  const told = { asked, trouble: null };
  const count = (counts, name) => { counts[name] = (counts[name] ?? 0) + 1; };
  let underWay = 0;
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/token') return next();
    underWay += 1;
    asked.at_once = Math.max(asked.at_once, underWay);
    // Long enough that others come meanwhile, if nobody keeps them back.
    await new Promise((slept) => setTimeout(slept, 20));
    underWay -= 1;
    if (!told.trouble) return next();
    asked.in_trouble += 1;
    ctx.status = told.trouble;
    ctx.body = 'out of order';
    return undefined;
  });
  provider.on('grant.success', ({ oidc }) => {
    count(asked.grants, oidc.params.grant_type);
    if (oidc.params.grant_type === 'refresh_token') count(asked.refreshed, oidc.account.accountId);
  });
  provider.on('grant.error', (ctx, error) => {
    if (error.error_detail === 'refresh token already used') asked.reused += 1;
  });
  return told;
}

// Its own keeps a thousand things and forgets what is over, even what a mail server may still show.
function keeper(kept, given) {
  return class {
    constructor(model) {
      this.key = (id) => `${model}:${id}`;
      this.isToken = ['AccessToken', 'RefreshToken'].includes(model);
      this.all = () => [...kept].flatMap(([key, payload]) => (key.startsWith(`${model}:`) ? [payload] : []));
    }

    async upsert(id, payload) {
      if (this.isToken) given.add(id);
      kept.set(this.key(id), payload);
    }

    async find(id) { return kept.get(this.key(id)); }

    async findByUid(uid) { return this.all().find((session) => session.uid === uid); }

    async findByUserCode(code) { return this.all().find(({ userCode }) => userCode === code); }

    async consume(id) { kept.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

    async destroy(id) { kept.delete(this.key(id)); }

    async revokeByGrantId(grantId) {
      kept.forEach((payload, key) => payload.grantId === grantId && kept.delete(key));
    }
  };
}

// Follows redirects and fills in forms until a page is of another machine, or there is no form left.
async function browse(url, answers) {
  const jar = new Map();
  let request = { url, options: {} };
  for (let step = 0; step < 30; step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...request.options.headers, cookie };
    const answer = await fetch(request.url, { ...request.options, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const [name, ...value] = pair.split('=');
      jar.set(name.trim(), value.join('='));
    }
    const location = answer.headers.get('location');
    if (location) {
      request = { url: new URL(location, request.url).href, options: {} };
      continue;
    }
    const form = filled(await answer.text(), request.url, answers);
    if (!form) return;
    request = form;
  }
  throw new Error(`it never ends: ${request.url}`);
}

function filled(page, base, answers) {
  const form = page.match(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/);
  if (!form) return undefined;
  const fields = new URLSearchParams();
  for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
    const name = input.match(/name="([^"]*)"/)?.[1];
    const value = input.match(/value="([^"]*)"/)?.[1] ?? '';
    if (name && name !== 'abort') fields.set(name, answers[name] ?? (value || 'unused'));
  }
  const button = form[2].match(/<button[^>]*name="(?!abort)([^"]*)"[^>]*value="([^"]*)"/);
  if (button) fields.set(button[1], button[2]);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const url = new URL(form[1].replaceAll('&amp;', '&'), base).href;
  return { url, options: { method: 'POST', headers, body: fields.toString() } };
}
