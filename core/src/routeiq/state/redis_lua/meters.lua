-- Meters: one hash, a field a meter with its level, packed: taken, held, and its end (Unix microseconds, or false); and a
-- sorted set of the meters that end. The mark lies in the same hash, so that nothing can lose the meters and keep the mark.
local METERS, ENDS, LEASES = KEYS[1], KEYS[2], KEYS[3]
local MARK = '\0mark'
local PAGE = 1000

local moment = redis.call('TIME')
local now = moment[1] * 1000000 + moment[2]
local stored, level = {}, {}

-- Reads meters into `stored`; those whose window is past are as if they were not there. Gives the mark if it is asked for,
-- as the first name.
local function read(names)
  local mark
  for first = 1, #names, PAGE do
    local last = math.min(first + PAGE - 1, #names)
    local found = redis.call('HMGET', METERS, unpack(names, first, last))
    for i = first, last do
      local name, raw = names[i], found[i - first + 1]
      if name == MARK then
        mark = raw
      elseif raw then
        local taken, held, ends = cmsgpack.unpack(raw)
        if not ends or ends > now then
          stored[name] = { taken, held, ends }
          if is_long(taken) or is_long(held) then
            widen()
          end
        end
      end
    end
  end
  return mark
end

-- A meter to compute with, once it is settled how wide integers are. With `create` a new one is made, to end then.
local function meter(name, create, ends)
  local found = level[name]
  if not found then
    local raw = stored[name]
    if raw then
      found = { taken = int(raw[1]), held = int(raw[2]), ends = raw[3] }
    elseif create then
      found = { taken = int(0), held = int(0), ends = ends or false, new = true }
    else
      return nil
    end
    level[name] = found
  end
  return found
end

local function sweep(most)
  local past = redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, most)
  if #past > 0 then
    redis.call('HDEL', METERS, unpack(past))
    redis.call('ZREM', ENDS, unpack(past))
  end
end

-- The error when a meter left 64 bits. To be asked for before anything is written.
local function overflown()
  if wide then
    for name, found in pairs(level) do
      if not (fits_64_bits(found.taken) and fits_64_bits(found.held)) then
        return redis.error_reply('OVERFLOW ' .. name)
      end
    end
  end
end

-- One command for many words, by pages.
local function many(command, key, words)
  for first = 1, #words, PAGE do
    redis.call(command, key, unpack(words, first, math.min(first + PAGE - 1, #words)))
  end
end

local function write()
  local written, gone, ending, endless = {}, {}, {}, {}
  for name, found in pairs(level) do
    local taken, held, ends = out(found.taken), out(found.held), found.ends
    if not ends and taken == 0 and held == 0 then
      -- The same as a meter that is not there, and nothing else would ever remove it.
      gone[#gone + 1] = name
    elseif not ends or ends > now then
      local n = #written
      written[n + 1], written[n + 2] = name, cmsgpack.pack(taken, held, ends)
      if found.new and ends then
        n = #ending
        ending[n + 1], ending[n + 2] = string.format('%.0f', ends), name
      elseif found.new then
        endless[#endless + 1] = name
      end
    end
  end
  if #ending > 0 then
    sweep(8)
  end
  many('HSET', METERS, written)
  many('HDEL', METERS, gone)
  many('ZREM', ENDS, endless)
  many('ZADD', ENDS, ending)
end

-- What a hold has on each meter.
local function amounts_of(packed)
  local amounts = packed and cmsgpack.unpack(packed) or {}
  for _, amount in pairs(amounts) do
    if is_long(amount) then
      widen()
    end
  end
  return amounts
end

-- Postings: each a meter, an amount and an end. First all names are read, then the amounts are added.
local function name_all(postings, names)
  for _, posting in ipairs(postings) do
    names[#names + 1] = posting[1]
    if is_long(posting[2]) then
      widen()
    end
  end
  return names
end

local function post(postings)
  for _, posting in ipairs(postings) do
    local found = meter(posting[1], true, posting[3])
    found.taken = found.taken + int(posting[2])
  end
end
