"""Pure types and rules: addresses, fills, orders, legs, signals and decimal maths.

Nothing here does I/O, reads a clock or draws a random number, so that every rule about money can be tested by value.
"""
