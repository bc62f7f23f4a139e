"""A release on a real cluster, under load, through everything that operators do to it; then held against the ledger."""
