"""The processes of supervisors; `beamish.supervisor` and `dynamic_supervisor` are the faces."""
