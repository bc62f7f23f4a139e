"""The whole pipeline in one process on a virtual clock, with seeded faults (DESIGN §16).

The services are the real ones, from `serve` on. Only what lies between them is a model: the loop's time, gRPC's
transport, NATS, the database's connection (SQLite in memory, without threads), and the venue. The same seed gives the
same run, step by step.
"""
