-- KEYS: meters, ends, leases. ARGV: milliseconds, holds. Gives the holds that are not known.
local unknown = {}
for i = 2, #ARGV do
  if redis.call('ZSCORE', LEASES, ARGV[i]) then
    redis.call('ZADD', LEASES, string.format('%.0f', now + ARGV[1] * 1000), ARGV[i])
  else
    unknown[#unknown + 1] = ARGV[i]
  end
end
return unknown
