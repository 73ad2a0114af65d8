"""The implementation of supervisors.

Private; the public modules are `beamish.supervisor` and `beamish.dynamic_supervisor`.
"""
