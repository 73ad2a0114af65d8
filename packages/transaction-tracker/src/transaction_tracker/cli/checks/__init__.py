"""The checks of ``txtrack doctor``, one module per part of the service."""
