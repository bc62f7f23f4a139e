"""What a command does to SQL, NATS and the venue."""
