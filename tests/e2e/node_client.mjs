// The official Node client against a gateway. Usage: node node_client.mjs BASE_URL KEY; prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const seen = {};

const { data, response } = await client.chat.completions.create({ model: "plain", messages }).withResponse();
seen.plain = { text: data.choices[0].message.content, model: data.model, tokens: data.usage.total_tokens };
seen.headers = {
  group: response.headers.get("x-litellm-model-group"),
  call: response.headers.get("x-litellm-call-id"),
};

const stream = await client.chat.completions.create({
  model: "stream",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
seen.stream = { text: "", finish: null, tokens: null };
for await (const chunk of stream) {
  seen.stream.text += chunk.choices[0]?.delta?.content ?? "";
  seen.stream.finish ??= chunk.choices[0]?.finish_reason;
  seen.stream.tokens ??= chunk.usage?.total_tokens;
}

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
const called = await client.chat.completions.stream({ model: "tools", messages, tools }).finalChatCompletion();
seen.tools = called.choices[0].message.tool_calls.map((call) => [call.id, call.function.name, call.function.arguments]);

seen.errors = {};
for (const [name, model] of [["limited", "limited"], ["broken", "broken"], ["unknown", "nobody"]]) {
  try {
    await client.chat.completions.create({ model, messages });
  } catch (error) {
    seen.errors[name] = [error.constructor.name, error.status, error.headers.get("retry-after"), error.type];
  }
}
try {
  const cut = await client.chat.completions.create({ model: "cut", messages, stream: true });
  for await (const chunk of cut) void chunk;
  seen.errors.cut = "the stream ended as if it were complete";
} catch (error) {
  seen.errors.cut = [error.constructor.name, error.message.includes("litellm.APIConnectionError")];
}
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);
seen.vectors = (await client.embeddings.create({ model: "plain", input: ["a", "b"] })).data.map((v) => v.embedding.length);

console.log(JSON.stringify(seen));
