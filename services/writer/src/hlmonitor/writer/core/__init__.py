"""Rules of epochs, batch numbers, signal numbers and grouping. No I/O, no clock: state and batches in, verdicts out."""
