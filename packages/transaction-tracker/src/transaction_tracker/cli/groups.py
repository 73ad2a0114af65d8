"""Groups of commands in the help."""

from cyclopts import Group

FIRST = Group("First steps", sort_key=1)
TRACK = Group("Transactions of a running service", sort_key=2)
MANAGE = Group("Manage the service", sort_key=3)
