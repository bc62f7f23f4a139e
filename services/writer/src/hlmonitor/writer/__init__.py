"""The writer: commits the aggregators' batches to SQL, exactly once and in groups.

`core/` says which batch may be applied and which go together; `io/` moves bytes between gRPC and the database. No
trading is decided here, and only `hlmonitor.storage` knows SQL.
"""
