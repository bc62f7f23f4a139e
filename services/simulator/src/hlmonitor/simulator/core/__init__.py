"""The exchange itself, who trades on it (`agents`, `load`), and how the way to clients breaks (`faults`, limits).

Sans-I/O: time and randomness come in.
"""
