-- KEYS: meters, ends, leases. ARGV: how many at most, the prefix of holds' keys. Gives hold, note and packed amounts of each.
sweep(PAGE)
local found = {}
local late = redis.call('ZRANGEBYSCORE', LEASES, '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
for i, hold in ipairs(late) do
  local record = redis.call('HMGET', ARGV[2] .. hold, 'note', 'amounts')
  found[i] = { hold, record[1] or '', record[2] or '' }
end
return found
