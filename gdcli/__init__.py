"""gd: type mathematics, get the optimum and the evidence for it.

The public Python functions live in :mod:`gdcli.api`; nothing is imported here, so that the command starts at once.
"""

# Written here and not read from the installed metadata: importlib.metadata costs 18 ms at every start.
__version__ = "0.1.0"
