"""`make overload`: the whole system as real processes under ten times what it can do, and in the end held to account.

`pace.py` finds the rate that it sustains; `memory.py` watches every process; `ledger.py` and `books.py` read what was
sent and what is stored; `account.py` holds one against the other, and says what may be missing: only what lies in a
recorded gap; `verdict.py` is the line at the end.
"""
