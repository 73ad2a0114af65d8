"""The commands ``txtrack demo`` and ``txtrack node``, which ``txtrack`` finds as entry points."""
