-- KEYS: record, names of its table, ends of its table. ARGV: name, value, then the expected value if one is.
local old = redis.call('GET', KEYS[1])
if old ~= (ARGV[3] or false) then
  return 0
end
if old then
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[3], ARGV[1])
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return 1
