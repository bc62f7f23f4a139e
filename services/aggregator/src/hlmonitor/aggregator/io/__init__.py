"""Shells of the aggregator: gRPC, NATS and REST. They move bytes and decide nothing about orders."""
