"""`make chaos`: the whole system as real processes, broken every few seconds, and in the end held against the ledger.

What is broken when is a plan (`plan.py`, from a seed); `field.py` carries it out and starts again what it killed, as a
supervisor would; `lines.py` are the connections, each through a proxy that can hurt it; `recovery.py` reads from the
stream how soon signals flowed again; `verdict.py` is the line at the end.
"""
