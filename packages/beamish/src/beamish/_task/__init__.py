"""The parts of tasks. Private.

A task is a process that runs one function. Its result is kept by its owner's `TaskRef`, or by the
stream that started it.
"""
