-- KEYS: counter. ARGV: step, limit or nothing, milliseconds to live or nothing. Gives the new value, or nothing.
local COUNTER, step = KEYS[1], ARGV[1]

-- Whether the integer text `a` is above `b`; both as the server writes them.
local function above(a, b)
  local minus_a, minus_b = string.sub(a, 1, 1) == '-', string.sub(b, 1, 1) == '-'
  if minus_a ~= minus_b then
    return minus_b
  end
  local greater = #a > #b or (#a == #b and a > b)
  local same = a == b
  if minus_a then
    return not greater and not same
  end
  return greater
end

local old = redis.call('GET', COUNTER)
local done = redis.pcall('INCRBY', COUNTER, step)
if type(done) == 'table' then
  return redis.error_reply('OVERFLOW ' .. COUNTER)
end
-- The reply of INCRBY would be a double here; the text is exact.
local new = redis.call('GET', COUNTER)
if ARGV[2] ~= '' and above(step, '0') and above(new, ARGV[2]) then
  if old then
    redis.call('INCRBY', COUNTER, '-' .. step)
  else
    redis.call('DEL', COUNTER)
  end
  return false
end
if not old and ARGV[3] ~= '' then
  redis.call('PEXPIRE', COUNTER, ARGV[3])
elseif new == '0' and redis.call('PTTL', COUNTER) == -1 then
  -- The same as a counter that is not there, and nothing else would ever remove it.
  redis.call('DEL', COUNTER)
end
return new
