-- KEYS: meters, ends, leases, hold, tombstone, then a key a pace.
-- ARGV: identity, hold, part, milliseconds, note, and what is asked, packed: most, least, forced, wide, charges (meter, limit,
-- base, rate, end, window before, its weight, enforced) and paces (meter, interval, burst, amount, enforced).
local identity, hold, part, note = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local HOLD, TOMBSTONE = KEYS[4], KEYS[5]

if redis.call('EXISTS', TOMBSTONE) == 1 then
  return { 'ended' }
end
local known = redis.call('HMGET', HOLD, 'amounts', part)
if known[2] then
  return { 'again', known[2] }
end
local most, least, forced, wider, charges, paces = unpack(cmsgpack.unpack(ARGV[6]), 1, 6)
if wider then
  widen()
end
local names = { MARK }
for _, charge in ipairs(charges) do
  names[#names + 1] = charge[1]
  -- `false` stands for nothing: a hole would end the list.
  names[#names + 1] = charge[6] or nil
end
if read(names) ~= identity and not forced then
  return { 'lost' }
end

local zero, million = int(0), int(1000000)
most, least = int(most), int(least)
for i, charge in ipairs(charges) do
  charges[i] = {
    meter = charge[1],
    limit = charge[2] and int(charge[2]),
    base = int(charge[3]),
    rate = int(charge[4]),
    ends = charge[5],
    previous = charge[6],
    weight = int(charge[7]),
    enforced = charge[8],
  }
end

-- What counts against a limit: the meter, and the part of the window before that still counts.
local function counted(charge)
  local found = meter(charge.meter)
  local taken = found and found.taken or zero
  local before = charge.previous and meter(charge.previous)
  if before and before.taken > zero then
    -- In two steps, so that the product stays small.
    local whole = quotient(before.taken, million)
    taken = taken + whole * charge.weight + quotient((before.taken - whole * million) * charge.weight, million)
  end
  return taken
end

-- The most units that the limit allows; nil when not even the base fits.
local function fitting(charge)
  if not charge.limit or (charge.base <= zero and charge.rate <= zero) then
    return most
  end
  local room = charge.limit - counted(charge) - charge.base
  if room < zero then
    return nil
  end
  if charge.rate <= zero then
    return most
  end
  local fits = quotient(room, charge.rate)
  return fits < most and fits or most
end

local units, over = most, {}
if not forced then
  for _, charge in ipairs(charges) do
    local fits = fitting(charge)
    if not fits or fits < most then
      if not charge.enforced then
        over[#over + 1] = charge.meter
      elseif not fits or fits < least then
        return { 'refused', charge.meter, out(counted(charge)) }
      elseif fits < units then
        units = fits
      end
    end
  end
end

-- Paces: when the next one is due, as seconds and nanoseconds, in a key that ends by itself then. Differences of a
-- hundred days are exact.
local dues = {}
if #paces > 0 then
  local found = redis.call('MGET', unpack(KEYS, 6))
  for i, pace in ipairs(paces) do
    local name, interval, burst, amount, enforced = unpack(pace, 1, 5)
    local behind = 0
    if found[i] then
      local seconds, nanoseconds = cmsgpack.unpack(found[i])
      behind = math.max(0, (seconds - moment[1]) * 1000000000 + nanoseconds - moment[2] * 1000)
    end
    local wait = behind + (amount - burst) * interval
    if wait <= 0 or forced then
      dues[KEYS[5 + i]] = behind + amount * interval
    elseif enforced then
      return { 'paced', name, burst, string.format('%.0f', wait) }
    else
      over[#over + 1] = name
    end
  end
end

local amounts, left = amounts_of(known[1]), {}
for _, charge in ipairs(charges) do
  local amount = charge.base + units * charge.rate
  local found = meter(charge.meter, true, charge.ends)
  found.taken, found.held = found.taken + amount, found.held + amount
  amounts[charge.meter] = amounts[charge.meter] and out(int(amounts[charge.meter]) + amount) or out(amount)
end
for i, charge in ipairs(charges) do
  left[i] = charge.limit and out(charge.limit - counted(charge))
end
local bad = overflown()
if bad then
  return bad
end

write()
local answer = cmsgpack.pack({ out(units), left, over })
local record = { part, answer, 'amounts', cmsgpack.pack(amounts) }
if part == '0' or not known[1] then
  record[5], record[6] = 'note', note
end
redis.call('HSET', HOLD, unpack(record))
redis.call('ZADD', LEASES, string.format('%.0f', now + ARGV[4] * 1000), hold)
for key, behind in pairs(dues) do
  local seconds = math.floor(behind / 1000000000)
  local nanoseconds = behind - seconds * 1000000000 + moment[2] * 1000
  local due = cmsgpack.pack(moment[1] + seconds, nanoseconds)
  redis.call('SET', key, due, 'PX', string.format('%.0f', math.max(1, math.ceil(behind / 1000000))))
end
return { 'held', answer }
