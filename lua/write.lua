-- Shared end: charge `more_*` at `label` if `charges`, write the state behind the last record, see
-- to the expiry, answer `reply`.
if charges then
    if more_r > 0 then empty_r = label + W end
    if more_i > 0 then empty_i = label + W end
    if more_o > 0 then empty_o = label + W end
    if tail_l == label and head < tail then
        tail_r, tail_i, tail_o = tail_r + more_r, tail_i + more_i, tail_o + more_o
    else
        if tail_changed then
            call('SETRANGE', key, records + (tail - 1) * 24,
                pack('<I6I6I6I6', tail_l, tail_r, tail_i, tail_o))
        end
        if tail > 0 and tail % 64 == 0 then
            -- A block is full: its sum goes to the front.
            local block = call('GETRANGE', key, records + (tail - 64) * 24, records + tail * 24 - 1)
            local sum_r, sum_i, sum_o = 0, 0, 0
            for p = 1, #block, 24 do
                local _, a, b, c = unpack('<I6I6I6I6', block, p)
                sum_r, sum_i, sum_o = sum_r + a, sum_i + b, sum_o + c
            end
            local dead = (head - head % 64) / 64
            local live = tail / 64 - dead
            if tail * 24 == records * 64 or dead > 2 * live + 2 then
                -- No room for another sum, or mostly dead records: move to the front.
                local sums = call('GETRANGE', key, dead * 24, (tail / 64 - 1) * 24 - 1)
                if live == 1 then sums = '' end
                if live == 0 then
                    live, dead = 1, dead - 1          -- keeps the dead tail: simple, and rare
                    sums = ''
                end
                local alive = call('GETRANGE', key, records + dead * 64 * 24,
                    records + tail * 24 - 1)
                base, head, tail = base + dead * 64, head - dead * 64, tail - dead * 64
                ahead, records, expires = ahead - dead * 64, live * 2 * 24, real + 2 * W
                call('SET', key, sums .. pack('<I6I6I6I6', tail_l, sum_r, sum_i, sum_o) ..
                    string.rep('\0', live * 24) .. alive, 'PX', string.format('%d', 2 * W))
            else
                call('SETRANGE', key, (tail / 64 - 1) * 24,
                    pack('<I6I6I6I6', tail_l, sum_r, sum_i, sum_o))
            end
        end
        if head == tail then head_l = label end
        tail_l, tail_r, tail_i, tail_o, tail = label, more_r, more_i, more_o, tail + 1
    end
end

local renew = expires < clock + 1.5 * W
if renew then expires = real + 2 * W end
state = pack('<I6I6I6I6ddddddddddddddc96', tail_l, tail_r, tail_i, tail_o, base, r, i, o, head,
    tail, records, head_l, clock, expires, empty_r, empty_i, empty_o, ahead, area)
call('SETRANGE', key, string.format('%d', records + (tail - 1) * 24), state)
if renew then call('PEXPIRE', key, string.format('%d', 2 * W)) end
return reply or state
