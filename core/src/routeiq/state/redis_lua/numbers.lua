-- Exact integers of 64 bits. A Lua number is a double and exact below 2^53 only. Integers come and go as numbers while they
-- have at most 15 digits, as digits beyond. A script that meets a long one works with `big` integers from then on: a sign
-- and limbs of 7 digits, least first. The same operators do for both.
local LONG = 1000000000000000
local wide = false

local function is_long(value)
  return type(value) == 'string' or value >= LONG or value <= -LONG
end

-- An integer to compute with.
local function int(value)
  return value
end

-- An integer to store or to answer.
local function out(a)
  return a
end

-- The integer quotient of a >= 0 by b > 0.
local function quotient(a, b)
  return math.floor(a / b)
end

local function fits_64_bits(a)
  return true
end

local function widen()
  if wide then
    return
  end
  wide = true
  local LIMB = 10000000
  local big_type = {}

  local function trimmed(sign, limbs)
    local n = #limbs
    while n > 0 and limbs[n] == 0 do
      limbs[n] = nil
      n = n - 1
    end
    limbs.sign = n == 0 and 1 or sign
    return setmetatable(limbs, big_type)
  end

  local function big(value)
    local digits = type(value) == 'string' and value or string.format('%.0f', value)
    local sign, at = 1, 1
    if string.sub(digits, 1, 1) == '-' then
      sign, at = -1, 2
    end
    local limbs = {}
    local last = #digits
    while last >= at do
      limbs[#limbs + 1] = tonumber(string.sub(digits, math.max(at, last - 6), last))
      last = last - 7
    end
    return trimmed(sign, limbs)
  end

  local function magnitudes(a, b)
    if #a ~= #b then
      return #a < #b and -1 or 1
    end
    for i = #a, 1, -1 do
      if a[i] ~= b[i] then
        return a[i] < b[i] and -1 or 1
      end
    end
    return 0
  end

  local function sum(a, b)
    local limbs, carry = {}, 0
    for i = 1, math.max(#a, #b) do
      local limb = (a[i] or 0) + (b[i] or 0) + carry
      carry = limb >= LIMB and 1 or 0
      limbs[i] = limb - carry * LIMB
    end
    if carry > 0 then
      limbs[#limbs + 1] = carry
    end
    return limbs
  end

  local function difference(a, b)
    local limbs, borrow = {}, 0
    for i = 1, #a do
      local limb = a[i] - (b[i] or 0) - borrow
      borrow = limb < 0 and 1 or 0
      limbs[i] = limb + borrow * LIMB
    end
    return limbs
  end

  local function signed(a, b, sign)
    if a.sign == sign then
      return trimmed(a.sign, sum(a, b))
    elseif magnitudes(a, b) >= 0 then
      return trimmed(a.sign, difference(a, b))
    end
    return trimmed(sign, difference(b, a))
  end

  local function as_double(a)
    local value = 0
    for i = #a, 1, -1 do
      value = value * LIMB + a[i]
    end
    return a.sign * value
  end

  big_type.__add = function(a, b)
    return signed(a, b, b.sign)
  end
  big_type.__sub = function(a, b)
    return signed(a, b, -b.sign)
  end
  big_type.__mul = function(a, b)
    local limbs = {}
    for i = 1, #a + #b do
      limbs[i] = 0
    end
    for i = 1, #a do
      local carry = 0
      for j = 1, #b do
        local limb = limbs[i + j - 1] + a[i] * b[j] + carry
        carry = math.floor(limb / LIMB)
        limbs[i + j - 1] = limb - carry * LIMB
      end
      limbs[i + #b] = limbs[i + #b] + carry
    end
    return trimmed(a.sign * b.sign, limbs)
  end
  big_type.__eq = function(a, b)
    return a.sign == b.sign and magnitudes(a, b) == 0
  end
  big_type.__lt = function(a, b)
    if a.sign ~= b.sign then
      return a.sign < b.sign
    end
    return magnitudes(a, b) * a.sign < 0
  end
  big_type.__le = function(a, b)
    return not (b < a)
  end

  int = big
  out = function(a)
    local n = #a
    local parts = { a.sign < 0 and '-' or '', n > 0 and tostring(a[n]) or '0' }
    for i = n - 1, 1, -1 do
      parts[#parts + 1] = string.format('%07d', a[i])
    end
    local digits = table.concat(parts)
    return #digits > 15 and digits or tonumber(digits)
  end
  -- Doubles guess, exact remainders correct the guess.
  quotient = function(a, b)
    local zero = big(0)
    local found, rest = zero, a
    while rest < zero or rest >= b do
      local guess = math.floor(as_double(rest) / as_double(b))
      if guess > -1 and guess < 1 then
        guess = rest < zero and -1 or 1
      end
      local step = big(guess)
      found, rest = found + step, rest - step * b
    end
    return found
  end
  local largest, least = big('9223372036854775807'), big('-9223372036854775808')
  fits_64_bits = function(a)
    return a <= largest and a >= least
  end
end
