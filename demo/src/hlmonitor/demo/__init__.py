"""The demo: every service on this machine, simulated whales, live signals, and a verdict against the ledger.

It knows the system only as its users do: by NATS, SQL, HTTP and the command line. It never imports a service.
"""
