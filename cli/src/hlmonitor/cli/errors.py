"""What ends a command: one sentence, no traceback."""


class CliError(Exception):
    """The command cannot be done; the message says what happened and what to do about it."""
