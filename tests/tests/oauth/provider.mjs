// oidc-provider with one application, and what a person does at its pages.
import { createServer } from 'node:http';

const [first, second] = process.argv.slice(2);

if (first === 'browse') await browse(second);
else if (first === 'type') await type(second, process.argv[4]);
else await serve(first, second);

async function serve(clientId, clientSecret) {
  const { default: Provider } = await import('oidc-provider');
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [{
      client_id: clientId,
      client_secret: clientSecret,
      // RFC 8252, section 7.3: any port of this machine.
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    }],
    cookies: { keys: ['a key for tests'] },
    features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
  });
  server.on('request', provider.callback());
  console.log(`at ${url}`);
}

// Follows redirects and fills in forms until a page is of another machine, or there is no form left.
async function browse(url, answers = {}) {
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

async function type(url, code) {
  await browse(`${url}/device`, { user_code: code });
}

function filled(page, base, answers) {
  const form = page.match(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/);
  if (!form) return undefined;
  const fields = new URLSearchParams();
  for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
    const name = input.match(/name="([^"]*)"/)?.[1];
    const value = input.match(/value="([^"]*)"/)?.[1] ?? '';
    if (name && name !== 'abort') fields.set(name, answers[name] ?? (value || 'ann'));
  }
  const button = form[2].match(/<button[^>]*name="(?!abort)([^"]*)"[^>]*value="([^"]*)"/);
  if (button) fields.set(button[1], button[2]);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const url = new URL(form[1].replaceAll('&amp;', '&'), base).href;
  return { url, options: { method: 'POST', headers, body: fields.toString() } };
}
