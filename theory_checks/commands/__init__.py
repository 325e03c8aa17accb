"""The commands of `python -m theory_checks`, a module each.

A command has the name of its module, the module's first line as help, `add_arguments(parser)` and
`run(arguments)`, which returns the exit status. Heavy imports belong into `run`: they would delay
all the other commands.
"""


class CommandError(Exception):
    """What the user has to change, in one line; ends the program with status 2."""
