"""Alembic's environment and the revisions. Each revision states what must be there and adds only what is missing.

MySQL cannot roll back DDL, so a revision that was interrupted is run again from its start: every step first looks.
"""
