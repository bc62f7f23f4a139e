"""Reads SQL, reads and writes KV."""
