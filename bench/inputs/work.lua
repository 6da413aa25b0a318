-- lua5.4 work.lua N: tables, strings, closures, a queens search and floating point.
local n = tonumber(arg[1])
local function queens(size)
  local columns, up, down, found = {}, {}, {}, 0
  local function place(row)
    if row > size then found = found + 1 return end
    for column = 1, size do
      if not (columns[column] or up[row + column] or down[row - column]) then
        columns[column], up[row + column], down[row - column] = true, true, true
        place(row + 1)
        columns[column], up[row + column], down[row - column] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end
local total = 0
for round = 1, n do
  total = total + queens(7)
  local words = {}
  for i = 1, 2000 do words[#words + 1] = string.format("%05d", (i * 7919 + round) % 10007) end
  table.sort(words)
  total = total + #table.concat(words, ",") + tonumber(words[1])
  local x = 0.5
  for i = 1, 20000 do x = 3.9 * x * (1 - x) end
  total = total + math.floor(x * 1000)
end
print(total)
