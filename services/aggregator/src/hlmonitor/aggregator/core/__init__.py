"""What an aggregator decides, as values: no I/O, no clock; `Now` comes in, changes and requests go out."""
