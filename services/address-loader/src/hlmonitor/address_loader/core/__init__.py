"""What a round of loading does, decided from what SQL and KV hold; no I/O and no clock."""
