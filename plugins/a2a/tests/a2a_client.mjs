// The official JavaScript client, unmodified: finds the card, sends, streams, reads, lists, cancels; prints what it got.
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory, RestTransportFactory }
  from "@a2a-js/sdk/client";
import { Role, TaskState, verifyAgentCardSignature } from "@a2a-js/sdk";
import * as jose from "jose";

const [base, key, binding] = process.argv.slice(2);
const authorized = (url, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${key}`);
  return fetch(url, { ...init, headers });
};
const transport = binding === "JSONRPC" ? JsonRpcTransportFactory : RestTransportFactory;
const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
  transports: [new transport({ fetchImpl: authorized })],
  preferredTransports: [binding],
  cardResolver: new DefaultAgentCardResolver({ fetchImpl: authorized }),
}));
const card = await (await authorized(`${base}/.well-known/agent-card.json`)).json();
const verify = verifyAgentCardSignature(async (kid, jku) => {
  const { keys } = await (await fetch(jku)).json();
  return jose.importJWK(keys.find((each) => each.kid === kid), "ES256");
});
await verify(card);
const forged = await verify({ ...card, description: "Other." }).then(() => "passed", () => "failed");

const client = await factory.createFromUrl(`${base}/`, ".well-known/agent-card.json");
const message = (text, more = {}) => ({
  tenant: "", metadata: undefined, configuration: more.configuration,
  message: {
    messageId: crypto.randomUUID(), contextId: "", taskId: "", role: Role.ROLE_USER, extensions: [],
    referenceTaskIds: [], metadata: undefined,
    parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "text/plain" }],
  },
});
const texts = (task) => task.artifacts.flatMap((a) => a.parts.map((p) => p.content.value)).join("");

const sent = await client.sendMessage(message("hello"));
const streamed = [];
for await (const event of client.sendMessageStream(message("pieces"))) {
  const payload = event.payload ?? event;
  if (payload.$case === "artifactUpdate") streamed.push(...payload.value.artifact.parts.map((p) => p.content.value));
}
const read = await client.getTask({ tenant: "", id: sent.id, historyLength: undefined });
let missing = "";
try {
  await client.getTask({ tenant: "", id: "no-such-task", historyLength: undefined });
} catch (error) {
  missing = error.constructor.name;
}
console.log(JSON.stringify({
  sent: texts(sent), streamed: streamed.join(""), same: read.id === sent.id,
  done: read.status.state === TaskState.TASK_STATE_COMPLETED, missing, forged,
}));
