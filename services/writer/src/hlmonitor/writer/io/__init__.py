"""The writer's edges: messages to rows, the transaction, the gRPC service."""
