-- lua5.4 or luajit mix.lua SEED ROUNDS: rounds of kernels, chosen by a generator of its own.
local state, rounds = tonumber(arg[1]), tonumber(arg[2])
local function random(n) state = (state * 16807) % 2147483647 return state % n end
local function sieve()
  local n, flags, count = 20000 + random(40000), {}, 0
  for i = 2, n do
    if not flags[i] then count = count + 1 for j = i * i, n, i do flags[j] = true end end
  end
  return count
end
local function queens()
  local n, found, rows, up, down = 6 + random(2), 0, {}, {}, {}
  local function place(c)
    if c > n then found = found + 1 return end
    for r = 1, n do
      if not rows[r] and not up[r + c] and not down[r - c + n] then
        rows[r], up[r + c], down[r - c + n] = true, true, true
        place(c + 1)
        rows[r], up[r + c], down[r - c + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end
local function strings()
  local parts = {}
  for i = 1, 3000 do parts[i] = string.format("%05x:%s", random(1000000), ("ab"):rep(random(9))) end
  table.sort(parts)
  local text = table.concat(parts, ";")
  return #text, select(2, text:gsub("%x+:a", string.upper)), text:find("fff", 1, true)
end
local function mandelbrot()
  local sum, width = 0, 40 + random(40)
  for y = 0, width - 1 do
    for x = 0, width - 1 do
      local a, b, n = 0, 0, 0
      while n < 100 and a * a + b * b < 4 do
        a, b, n = a * a - b * b + 3 * x / width - 2, 2 * a * b + 2 * y / width - 1, n + 1
      end
      sum = sum + n
    end
  end
  return sum
end
local function coroutines()
  local function walk(t) if t then walk(t.l) coroutine.yield(t.v) walk(t.r) end end
  local root
  for _ = 1, 1500 do
    local v, at = random(100000), root
    if not root then root = { v = v } at = nil end
    while at do
      local side = v < at.v and "l" or "r"
      if at[side] then at = at[side] else at[side] = { v = v } at = nil end
    end
  end
  local sum, last = 0, -1
  for v in coroutine.wrap(function() walk(root) end) do assert(v >= last) sum, last = sum * 3 % 1000003 + v, v end
  return sum
end
local function errors()
  local caught = 0
  for _ = 1, 5000 do
    local ok, e = pcall(function() if random(3) == 0 then error({ code = random(9) }) end return 1 end)
    if not ok then caught = caught + e.code end
  end
  return caught
end
local function objects()
  local meta = { __add = function(a, b) return setmetatable({ v = (a.v + b.v) % 65521 }, getmetatable(a)) end }
  local sum = setmetatable({ v = 1 }, meta)
  for _ = 1, 30000 do sum = sum + setmetatable({ v = random(1000) }, meta) end
  return sum.v, string.format("%.10g", math.sin(sum.v) * math.sqrt(sum.v))
end
local kernels = { sieve, queens, strings, mandelbrot, coroutines, errors, objects }
for round = 1, rounds do
  local which = 1 + random(#kernels)
  print(round, which, kernels[which]())
end
