"""The venue's rules without I/O or clocks: bytes and `now` in, values and decisions out."""
