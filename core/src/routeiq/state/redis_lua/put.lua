-- KEYS: record, names of its table, ends of its table. ARGV: name, value, milliseconds to live or nothing.
local moment = redis.call('TIME')
local now = moment[1] * 1000 + math.floor(moment[2] / 1000)
local past = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 8)
if #past > 0 then
  -- The records went by themselves; their names do not.
  redis.call('ZREM', KEYS[2], unpack(past))
  redis.call('ZREM', KEYS[3], unpack(past))
end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[3], now + ARGV[3] + 1, ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1
