-- KEYS: meters, ends, leases. ARGV: postings, packed.
local postings = cmsgpack.unpack(ARGV[1])
read(name_all(postings, {}))
post(postings)
local bad = overflown()
if bad then
  return bad
end
write()
return 1
