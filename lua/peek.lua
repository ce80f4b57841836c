-- peek: what the window holds, without taking anything. Writes nothing (but see the clock that has
-- gone back by more than a window, in window.lua).
local ago_r, ago_i, ago_o = unpack('<I4I4I4', state, 31)
local empty = tail_l + W - clock
return pack('<BBI6I6I6I6I4I4I4', 3, 0, 0, r, i, o, r > 0 and empty - ago_r or 0,
    i > 0 and empty - ago_i or 0, o > 0 and empty - ago_o or 0)
