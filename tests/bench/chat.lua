-- wrk script: POST one chat request of about 1 KB again and again; prints one line "BENCH {json}" at the end.
-- Environment: BENCH_STREAM (1 = ask for a stream), BENCH_MODEL, BENCH_HEADERS (one "name: value" a line).

local sentence = "Keep every answer short, plain and to the point, and name the rule you followed. "
local stream = os.getenv("BENCH_STREAM") == "1" and ',"stream":true' or ""

wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^:\n]+): ([^\n]+)") do
  wrk.headers[name] = value
end
wrk.body = string.format(
  '{"model":"%s"%s,"temperature":0.3,"max_tokens":128,"messages":[{"role":"system","content":"%s"},' ..
  '{"role":"user","content":"Which of two equally long queues at the baker should I join, and why?"}]}',
  os.getenv("BENCH_MODEL") or "bench-model", stream, string.rep(sentence, 10))

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"seconds":%.6f,"bytes":%d,"bad_status":%d,"socket_errors":%d,' ..
    '"p50_ms":%.4f,"p99_ms":%.4f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
