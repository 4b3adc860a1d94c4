-- KEYS: lease, the last epoch. ARGV: owner, milliseconds. Gives the epoch, or nothing.
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if held[1] and held[1] ~= ARGV[1] then
  return false
end
local epoch = held[2]
if not held[1] then
  -- Never below the time, so that epochs go on rising after the store forgot the last one.
  local moment = redis.call('TIME')
  local last = tonumber(redis.call('GET', KEYS[2]) or '0')
  epoch = string.format('%.0f', math.max(last + 1, moment[1] * 1000000 + moment[2]))
  redis.call('SET', KEYS[2], epoch)
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return epoch
