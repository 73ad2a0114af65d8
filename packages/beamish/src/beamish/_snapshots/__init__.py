"""Snapshots of a running program, as the observer's pages and ``python -m beamish`` show them.

Private. Each reader walks the processes in slices, between which the event loop runs its other
callbacks; none of them waits for a process, except for its state. The results are frozen
dataclasses, and `encode` makes JSON of them. Nothing here needs more than the standard library.
"""
