"""The commands of ``rslib``: each module adds the parsers of some, and does what they ask.

A command is a function of the parsed arguments that returns its exit code. What it needs of the
rest of the package is imported inside it, so that a mistake is answered at once.
"""
