// The TypeScript SDK's client: lists the tools of the server at the URL given, calls one, and prints both as JSON.
// Usage: node typescript_client.mjs URL KEY TOOL ARGUMENTS

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, key, tool, argumentsText] = process.argv.slice(2);
const client = new Client({ name: "typescript", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
client.setRequestHandler(ElicitRequestSchema, async () => ({ action: "accept", content: { name: "Ada" } }));
const headers = key ? { authorization: `Bearer ${key}` } : {};
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
const { tools } = await client.listTools();
const result = await client.callTool({ name: tool, arguments: JSON.parse(argumentsText) });
console.log(JSON.stringify({ server: client.getServerVersion(), tools: tools.map(({ name }) => name), result }));
await client.close();
