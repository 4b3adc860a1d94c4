-- Puts the staged meters in the place of those that are lost, with what holds have on top.
-- KEYS: meters, ends, leases, staged meters, staged ends. ARGV: identity, the prefix of holds' keys.
if redis.call('HGET', METERS, MARK) == ARGV[1] then
  redis.call('UNLINK', KEYS[4], KEYS[5])
  return 0
end
local names, held = {}, {}
for _, hold in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
  for name, amount in pairs(amounts_of(redis.call('HGET', ARGV[2] .. hold, 'amounts'))) do
    names[#names + 1] = name
    held[#held + 1] = { name, amount }
  end
end
-- Of the old meters only the ends are kept; what else they had was written by who knows whom.
read(names)
local ends = {}
for name, found in pairs(stored) do
  ends[name] = found[3]
end
stored, METERS = {}, KEYS[4]
read(names)
for _, each in ipairs(held) do
  local found, amount = meter(each[1], true, ends[each[1]]), int(each[2])
  found.taken, found.held = found.taken + amount, found.held + amount
end
local bad = overflown()
if bad then
  return bad
end
METERS = KEYS[1]
redis.call('UNLINK', METERS, ENDS)
for i = 1, 2 do
  if redis.call('EXISTS', KEYS[3 + i]) == 1 then
    redis.call('RENAME', KEYS[3 + i], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
write()
redis.call('HSET', METERS, MARK, ARGV[1])
return 1
