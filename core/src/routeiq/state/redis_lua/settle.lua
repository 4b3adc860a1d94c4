-- KEYS: meters, ends, leases, hold, tombstone. ARGV: hold, seconds to remember it, postings, packed.
local HOLD, TOMBSTONE = KEYS[4], KEYS[5]
if redis.call('EXISTS', TOMBSTONE) == 1 then
  return 0
end
local amounts, postings = amounts_of(redis.call('HGET', HOLD, 'amounts')), cmsgpack.unpack(ARGV[3])
local names = name_all(postings, {})
for name in pairs(amounts) do
  names[#names + 1] = name
end
read(names)
for name, amount in pairs(amounts) do
  -- One whose window is past gives nothing back.
  local found = meter(name)
  if found then
    found.taken, found.held = found.taken - int(amount), found.held - int(amount)
  end
end
post(postings)
local bad = overflown()
if bad then
  return bad
end
write()
redis.call('DEL', HOLD)
redis.call('ZREM', LEASES, ARGV[1])
redis.call('SET', TOMBSTONE, '', 'EX', ARGV[2])
return 1
