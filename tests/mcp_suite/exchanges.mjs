// Two grants that oidc-provider leaves to its users: token exchange (RFC 8693), of which an identity assertion
// (ID-JAG) is one outcome, and the JWT bearer grant (RFC 7523) that takes such an assertion at another server.
import { randomUUID } from 'node:crypto';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify, SignJWT } from 'jose';
import { errors } from 'oidc-provider';

const { InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget } = errors;
const TYPE = 'urn:ietf:params:oauth:token-type:';
const ACCESS_TOKEN = `${TYPE}access_token`;
const ID_TOKEN = `${TYPE}id_token`;
const JWT = `${TYPE}jwt`;
const ID_JAG = `${TYPE}id-jag`;
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const words = (text) => new Set((text ?? '').split(' ').filter(Boolean));

function narrowed(asked, allowed) {
  const wanted = words(asked);
  for (const scope of wanted) {
    if (!allowed.has(scope)) throw new InvalidScope('the scope is wider than what was granted', scope);
  }
  return [...(wanted.size ? wanted : allowed)].join(' ') || undefined;
}

export function addExchanges(provider, settings, signing) {
  const { privateKey, publicJwks, kid, alg } = signing;
  const own = createLocalJWKSet(publicJwks);
  const remote = new Map();
  const seen = new Set();

  const sign = (claims, typ, seconds) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ ...claims, iss: provider.issuer, jti: randomUUID(), iat: now, exp: now + seconds })
      .setProtectedHeader({ alg, kid, typ })
      .sign(privateKey);
  };

  const verified = async (token, keys, options) => {
    try {
      return await jwtVerify(token, keys, { algorithms: [alg], ...options });
    } catch (error) {
      throw new InvalidGrant('the token is not acceptable', error.message);
    }
  };

  const answer = (ctx, token, scope, type, tokenType = 'Bearer') => {
    ctx.body = {
      access_token: token,
      issued_token_type: type,
      token_type: tokenType,
      expires_in: settings.seconds.access,
      ...(scope ? { scope } : {}),
    };
  };

  async function exchange(ctx) {
    const { params, client } = ctx.oidc;
    const audience = params.resource ?? params.audience;
    if (!params.subject_token || ![ACCESS_TOKEN, ID_TOKEN, JWT].includes(params.subject_token_type)) {
      throw new InvalidRequest('subject_token and a known subject_token_type are required');
    }
    const { payload } = await verified(params.subject_token, own, { issuer: provider.issuer });
    const audiences = [payload.aud].flat();
    const rule = settings.exchange.find((row) => row.client === client.clientId);
    // A client may exchange only what was issued to it or for the resource that it serves.
    if (!rule || !audiences.some((aud) => aud === client.clientId || rule.subject_audiences?.includes(aud))) {
      throw new InvalidGrant('the token was not issued for this client');
    }
    if (params.requested_token_type === ID_JAG) {
      const target = settings.id_jag.find((row) => row.client === client.clientId && row.audience === params.audience);
      if (!target) throw new InvalidTarget('the audience is not configured for this client');
      const scope = narrowed(params.scope, words(target.scope));
      const claims = { sub: payload.sub, aud: params.audience, client_id: target.client_there, scope };
      if (params.resource) claims.resource = params.resource;
      const token = await sign(claims, 'oauth-id-jag+jwt', settings.seconds.assertion);
      answer(ctx, token, scope, ID_JAG, 'N_A');
      return;
    }
    if (!rule.audiences?.includes(audience)) throw new InvalidTarget('the audience is not configured for this client');
    const resource = settings.resources[audience];
    if (!resource) throw new InvalidTarget('the audience is not known');
    const granted = params.subject_token_type === ID_TOKEN ? words(resource.scope) : words(payload.scope);
    const scope = narrowed(params.scope, granted);
    const act = { sub: client.clientId, ...(payload.act ? { act: payload.act } : {}) };
    const claims = { sub: payload.sub, aud: audience, client_id: client.clientId, scope, act };
    answer(ctx, await sign(claims, 'at+jwt', settings.seconds.access), scope, ACCESS_TOKEN);
  }

  async function bearer(ctx) {
    const { params, client } = ctx.oidc;
    if (!params.assertion) throw new InvalidRequest('assertion is required');
    let issuer;
    try {
      issuer = JSON.parse(Buffer.from(params.assertion.split('.')[1], 'base64url')).iss;
    } catch {
      throw new InvalidGrant('the assertion is not a JWT');
    }
    if (!settings.trusted_issuers.includes(issuer)) throw new InvalidGrant('the assertion is from an unknown issuer');
    if (!remote.has(issuer)) remote.set(issuer, createRemoteJWKSet(new URL(`${issuer}/jwks`)));
    const expected = { issuer, audience: provider.issuer, typ: 'oauth-id-jag+jwt', requiredClaims: ['jti', 'exp', 'sub'] };
    const { payload } = await verified(params.assertion, remote.get(issuer), expected);
    if (payload.client_id !== client.clientId) throw new InvalidGrant('the assertion was issued to another client');
    if (seen.has(payload.jti)) throw new InvalidGrant('the assertion was used before');
    seen.add(payload.jti);
    const audience = params.resource ?? payload.resource;
    const resource = settings.resources[audience];
    if (!resource) throw new InvalidTarget('the resource is not known');
    const scope = narrowed(params.scope, words(payload.scope));
    const claims = { sub: payload.sub, aud: audience, client_id: client.clientId, scope };
    answer(ctx, await sign(claims, 'at+jwt', settings.seconds.access), scope, ACCESS_TOKEN);
  }

  const names = ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type'];
  provider.registerGrantType(EXCHANGE, exchange, [...names, 'audience', 'resource', 'scope']);
  provider.registerGrantType(BEARER, bearer, ['assertion', 'resource', 'scope']);
}
