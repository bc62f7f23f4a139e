"""The decisions of the runtime, without I/O or clocks."""
