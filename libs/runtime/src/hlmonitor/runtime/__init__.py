"""What every service needs and none should write again: settings, logs, metrics, health, lifecycle, NATS and gRPC.

No rule about orders or the venue may live here.
"""
