"""What a round of loading does, decided from the list, the entries in SQL and their copies; no I/O and no clock."""
