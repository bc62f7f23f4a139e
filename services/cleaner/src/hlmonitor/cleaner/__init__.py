"""The cleaner: deletes what is finished and old enough, in small steps, once or every few minutes.

It reads and writes through `hlmonitor.storage` alone, and what may be deleted is written there too, as one statement
per kind of row.
"""
