"""What tasks are made of. Private.

A task is a process that runs one function. Whoever waits for it holds its answer: `TaskRef` for
the owner of a single task, a stream for all of its own.
"""
