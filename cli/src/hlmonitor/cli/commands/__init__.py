"""The commands: arguments in, text and exit status out."""
