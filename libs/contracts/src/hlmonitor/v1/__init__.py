"""The gRPC contracts, built from `proto/` by `make proto`. Nothing here is edited by hand."""
