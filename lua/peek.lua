-- peek: what the window holds, without taking anything. Writes nothing (but see the clock that has
-- gone back by more than a window, in window.lua).
return pack('<BBI6I8I6I6I6I4I4I4', 3, 0, 0, 0, r, i, o,
    r > 0 and last_r + W - clock or 0, i > 0 and last_i + W - clock or 0,
    o > 0 and last_o + W - clock or 0)
