"""How the help groups the commands."""

from cyclopts import Group

FIRST = Group("First steps", sort_key=1)
FOLLOW = Group("Transactions of a running service", sort_key=2)
CARE = Group("Care for the service", sort_key=3)
