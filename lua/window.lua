-- Shared beginning: read the window, let go of what has left it, settle what came along.
-- The layout of key, argument and reply is in README.md beside this file.
--
-- KEYS[1]  the window of one subject
-- ARGV[1]  the packed question (the same layout for every script)
-- Before:  `seconds`, `micros`: the time
-- After:   the locals below say what the window holds; `more_*` is what settlements have to charge
--          now, already in the totals; `changed`: there is something to write
--
-- Atomic: one script, one key. Bounded: whole blocks of 64 records are skipped by their sums, so no
-- loop takes more steps than (records in the window) / 64 + 64.
local key, question = KEYS[1], ARGV[1]
local call, unpack, pack = redis.call, struct.unpack, struct.pack
local W, n, limit_r, limit_i, limit_o, ask_r, ask_i, ask_o, at =
    unpack('<dddddddd', question)

local part = micros % 1000
local clock = seconds * 1000 + (micros - part) / 1000 -- what has happened: rounded down
local label = clock                                   -- where to charge: rounded up
if part > 0 then label = clock + 1 end
if W > 60000 then                                     -- never more than 60,000 slots
    local slot = math.ceil(W / 60000)
    label = math.ceil(label / slot) * slot
end
local real = clock

local changed, tail_changed, closed = false, false, 0
local tail_l, tail_r, tail_i, tail_o, base, r, i, o, head, tail, records, head_l, last, expires,
    empty_r, empty_i, empty_o, ahead, area
local state = call('GETRANGE', key, '-232', '-1')

if #state == 232 then
    tail_l, tail_r, tail_i, tail_o, base, r, i, o, head, tail, records, head_l, last, expires,
        empty_r, empty_i, empty_o, ahead, area = unpack('<I6I6I6I6ddddddddddddddc96', state)
    if clock < last then
        if last - clock <= W then
            clock = last                              -- time stands still until it has caught up
        else
            -- The clock has gone back by more than a window: nothing is forgotten, all of it
            -- counts as charged now.
            base, head, tail, records, head_l, ahead = base + tail, 0, 1, 24, label, -4
            tail_l, tail_r, tail_i, tail_o = label, r, i, o
            last, expires = clock, clock + 2 * W
            empty_r, empty_i, empty_o = label + W, label + W, label + W
            call('SET', key, string.rep('\0', 24) .. pack('<I6I6I6I6ddddddddddddddc96', tail_l,
                tail_r, tail_i, tail_o, base, r, i, o, head, tail, records, head_l, last, expires,
                empty_r, empty_i, empty_o, ahead, area), 'PX', string.format('%d', 2 * W))
        end
        if label < clock then label = clock end
    end
    if label < tail_l then label = tail_l end
    closed = (tail - 1 - (tail - 1) % 64) / 64        -- blocks that have a sum

    local gone = clock - W                            -- a label up to here has left the window
    if head < tail then
        if tail_l <= gone then
            r, i, o, head, changed = 0, 0, 0, tail, true
        elseif head_l <= gone then
            changed = true
            local few = 4                             -- mostly it is one or two
            repeat
                if head % 64 == 0 and head < closed * 64 then
                    local upto = head / 64 + 256
                    if upto > closed then upto = closed end
                    local sums = call('GETRANGE', key, head / 64 * 24, upto * 24 - 1)
                    for p = 1, #sums, 24 do
                        local l, a, b, c = unpack('<I6I6I6I6', sums, p)
                        if l > gone then break end
                        r, i, o, head = r - a, i - b, o - c, head + 64
                    end
                end
                local chunk, first = area, (head - ahead) * 24 + 1
                if head < ahead or first > 96 then    -- not in the four that were read ahead
                    local upto = head - head % 64 + 64
                    if upto > head + few then upto = head + few end
                    if upto > tail - 1 then upto = tail - 1 end
                    chunk, first = '', 1
                    if head < upto then
                        chunk = call('GETRANGE', key, records + head * 24, records + upto * 24 - 1)
                    else
                        head_l = tail_l               -- only the newest is left
                    end
                    if few == 4 then
                        ahead, area = head, chunk
                        if #chunk < 96 then area = chunk .. string.rep('\0', 96 - #chunk) end
                    end
                    few = 64
                end
                for p = first, #chunk, 24 do
                    local l, a, b, c = unpack('<I6I6I6I6', chunk, p)
                    if l == 0 then ahead = -4 break end -- no more of them were read
                    head_l = l
                    if l > gone then break end
                    r, i, o, head = r - a, i - b, o - c, head + 1
                end
            until head_l > gone                       -- at the latest at the tail
        end
    end
else
    tail_l, tail_r, tail_i, tail_o = 0, 0, 0, 0
    base = seconds * 1000000 + micros                 -- no two lives of a log share a number
    r, i, o, head, tail, records, head_l, expires = 0, 0, 0, 0, 0, 24, 0, 0
    empty_r, empty_i, empty_o, ahead, area = 0, 0, 0, -4, string.rep('\0', 96)
end

local found, more_r, more_i, more_o = 0, 0, 0, 0
for _ = 1, n do
    local slot_l, slot_n, dr, di, d_o
    slot_l, slot_n, dr, di, d_o, at = unpack('<I6I8i8i8i8', question, at)
    -- More was used than reserved: charged now.
    if dr > 0 then more_r, dr = more_r + dr, 0 end
    if di > 0 then more_i, di = more_i + di, 0 end
    if d_o > 0 then more_o, d_o = more_o + d_o, 0 end
    -- Less was used: given back to the very record, unless that has left the window.
    local k = slot_n - base
    if (dr < 0 or di < 0 or d_o < 0) and k >= head and k < tail then
        local place = records + k * 24
        local is_tail = k == tail - 1
        local l, a, b, c = tail_l, tail_r, tail_i, tail_o
        if not is_tail then
            l, a, b, c = unpack('<I6I6I6I6', call('GETRANGE', key, place, place + 23))
        end
        if l == slot_l then
            found, changed = found + 1, true
            if k >= ahead and k < ahead + 4 then ahead = -4 end
            if a + dr < 0 then dr = -a end
            if b + di < 0 then di = -b end
            if c + d_o < 0 then d_o = -c end
            r, i, o = r + dr, i + di, o + d_o
            if is_tail then
                tail_r, tail_i, tail_o, tail_changed = a + dr, b + di, c + d_o, true
            else
                call('SETRANGE', key, place + 6, pack('<I6I6I6', a + dr, b + di, c + d_o))
                if k < closed * 64 then
                    local sum = (k - k % 64) / 64 * 24 + 6
                    a, b, c = unpack('<I6I6I6', call('GETRANGE', key, sum, sum + 17))
                    call('SETRANGE', key, sum, pack('<I6I6I6', a + dr, b + di, c + d_o))
                end
            end
        end
    end
end
if n > 0 then -- counting stops at 2^48 - 1
    if r + more_r > 281474976710655 then more_r = 281474976710655 - r end
    if i + more_i > 281474976710655 then more_i = 281474976710655 - i end
    if o + more_o > 281474976710655 then more_o = 281474976710655 - o end
    r, i, o = r + more_r, i + more_i, o + more_o
end
