// A real authorization server on loopback, for tests: oidc-provider with two users whose login is one plain form.
// Settings come as JSON on standard input's first line; `/control` changes them, `/count` says what was asked of it.
// Its own shortcuts are for tests alone: passwords in the clear, keys that die with it, no TLS.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider, { errors } from 'oidc-provider';
import { addExchanges, BEARER, EXCHANGE } from './exchanges.mjs';

const ALG = 'ES256';
const [line] = await new Promise((resolve) => {
  createInterface({ input: process.stdin }).once('line', (text) => resolve([text]));
});
const settings = JSON.parse(line);
const counts = { token: 0, registration: 0, authorization: 0, success: {}, error: {} };
const trouble = { status: 0, times: 0, delay: 0 };
const grants = new Map(); // user -> ids of grants

const server = createServer();
await new Promise((resolve) => { server.listen(settings.port, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = `key-${Date.now().toString(36)}`;
const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid, alg: ALG, use: 'sig' };
const { d, ...publicJwk } = jwk;

const provider = new Provider(issuer, {
  clients: settings.clients,
  jwks: { keys: [jwk] },
  cookies: { keys: ['a key that dies with the test'] },
  clientDefaults: { id_token_signed_response_alg: ALG, grant_types: ['authorization_code', 'refresh_token'] },
  scopes: ['openid', 'offline_access', ...settings.scopes],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  enabledJWA: { clientAuthSigningAlgValues: ['ES256', 'RS256', 'EdDSA'] },
  extraClientMetadata: { properties: ['client_uri'] },
  pkce: { required: () => true },
  rotateRefreshToken: () => settings.rotate,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  ttl: {
    AccessToken: () => settings.seconds.access,
    ClientCredentials: () => settings.seconds.access,
    RefreshToken: () => settings.seconds.refresh,
    AuthorizationCode: () => settings.seconds.code,
    IdToken: () => settings.seconds.access,
    Grant: 86400,
    Interaction: 600,
    Session: 86400,
  },
  findAccount: async (ctx, id) => settings.users[id] && {
    accountId: id,
    claims: async () => ({ sub: id, name: id, email: `${id}@example.test` }),
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  // A client id that is a URL must be https. Tests name such a host and say where on loopback it is served.
  fetch: (url, { dispatcher, ...options }) => {
    const asked = new URL(url);
    const there = settings.hosts[asked.origin];
    return fetch(there ? new URL(asked.pathname + asked.search, there) : asked, options);
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: settings.registration },
    clientIdMetadataDocument: { enabled: settings.cimd, ack: 'draft-02', cacheDuration: { min: 1, max: 1 } },
    resourceIndicators: {
      enabled: true,
      defaultResource: async () => undefined,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx, identifier) => {
        const known = settings.resources[identifier];
        if (!known) throw new errors.InvalidTarget('the resource is not known');
        return {
          scope: known.scope,
          audience: identifier,
          accessTokenTTL: settings.seconds.access,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: ALG } },
        };
      },
    },
  },
});
addExchanges(provider, settings, { privateKey: pair.privateKey, publicJwks: { keys: [publicJwk] }, kid, alg: ALG });

const tally = (into, ctx) => {
  const grant = ctx.oidc.params?.grant_type ?? 'unknown';
  const name = { [EXCHANGE]: 'token_exchange', [BEARER]: 'jwt_bearer' }[grant] ?? grant;
  into[name] = (into[name] ?? 0) + 1;
};
provider.on('grant.success', (ctx) => tally(counts.success, ctx));
provider.on('grant.error', (ctx) => tally(counts.error, ctx));
provider.on('server_error', (ctx, error) => console.error(error));
provider.on('grant.saved', (grant) => {
  grants.set(grant.accountId, (grants.get(grant.accountId) ?? new Set()).add(grant.jti));
});

async function revokeUser(user) {
  for (const id of grants.get(user) ?? []) {
    await Promise.all([provider.AccessToken, provider.RefreshToken].map((model) => model.revokeByGrantId(id)));
    await provider.Grant.adapter.destroy(id);
  }
  grants.delete(user);
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

function page(response, details, told = '') {
  const account = details.session?.accountId;
  const fields = account
    ? `<p>Signed in as ${account}</p>`
    : '<label>User <input name="login"></label> <label>Password <input name="password" type="password"></label>';
  response.writeHead(told ? 401 : 200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>Sign in</title><p>${told}</p>
<form method="post" action="/interaction/${details.uid}">${fields}
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>`);
}

async function decide(request, response, details) {
  const form = new URLSearchParams(await body(request));
  const user = form.get('login') ?? details.session?.accountId;
  if (form.has('login') && settings.users[user] !== form.get('password')) {
    page(response, details, 'Wrong user or password');
    return;
  }
  if (!user || form.get('decision') === 'deny') {
    const refused = { error: 'access_denied', error_description: 'the user said no' };
    await provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
    return;
  }
  const { params, grantId } = details;
  let grant = grantId ? await provider.Grant.find(grantId) : undefined;
  if (!grant || grant.accountId !== user) grant = new provider.Grant({ accountId: user, clientId: params.client_id });
  if (params.scope) grant.addOIDCScope(params.scope);
  for (const resource of [params.resource ?? []].flat()) grant.addResourceScope(resource, params.scope ?? '');
  const result = { login: { accountId: user }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

async function control(request, response) {
  const asked = JSON.parse((await body(request)) || '{}');
  if (asked.trouble) Object.assign(trouble, { status: 0, times: 0, delay: 0 }, asked.trouble);
  for (const name of ['resources', 'hosts', 'users']) Object.assign(settings[name], asked[name] ?? {});
  for (const name of ['exchange', 'id_jag', 'trusted_issuers']) settings[name].push(...(asked[name] ?? []));
  Object.assign(settings.seconds, asked.seconds ?? {});
  if (asked.revoke_user) await revokeUser(asked.revoke_user);
  if (asked.reset_counts) Object.assign(counts, { token: 0, registration: 0, authorization: 0, success: {}, error: {} });
  json(response, 200, { trouble });
}

async function troubled(response) {
  if (trouble.delay) await new Promise((resolve) => { setTimeout(resolve, trouble.delay); });
  const { status } = trouble;
  if (!status) return false;
  if (trouble.times > 0) {
    trouble.times -= 1;
    if (trouble.times === 0) trouble.status = 0;
  }
  json(response, status, { error: 'temporarily_unavailable', error_description: 'the test said so' });
  return true;
}

const serve = provider.callback();
server.on('request', async (request, response) => {
  try {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (pathname === '/count') return json(response, 200, counts);
    if (pathname === '/control' && request.method === 'POST') return await control(request, response);
    if (pathname === '/fail') {
      const [status, times] = ['status', 'times'].map((name) => Number(searchParams.get(name) ?? 0));
      Object.assign(trouble, { status, times });
      return json(response, 200, { trouble });
    }
    if (pathname.startsWith('/interaction/')) {
      const details = await provider.interactionDetails(request, response);
      return request.method === 'POST' ? await decide(request, response, details) : page(response, details);
    }
    const counted = { '/token': 'token', '/reg': 'registration', '/auth': 'authorization' }[pathname];
    if (counted) counts[counted] += 1;
    if (pathname === '/token' && (await troubled(response))) return undefined;
    return await serve(request, response);
  } catch (error) {
    console.error(error);
    return response.headersSent ? response.destroy() : json(response, 400, { error: error.message });
  }
});
console.log(JSON.stringify({ issuer }));
