"""What a command decides: which lines of a file are wallets, how a signal looks on a line. No I/O and no clock."""
