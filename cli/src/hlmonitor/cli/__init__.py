"""hlmon, the command line: the watch list, live signals, a recorder of the venue, and a doctor for everything.

Commands parse, call `io` and print; what is read from files and how signals look is decided in `core`, by values alone.
It talks to SQL, NATS and the venue, never to a service of ours but through them.
"""
