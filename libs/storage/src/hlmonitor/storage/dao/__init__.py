"""Data access: one module per thing that is stored. The only place that reads and writes SQL.

Each function takes an open transaction. Rows go in as typed dictionaries, many per statement, and come out as values.
"""
