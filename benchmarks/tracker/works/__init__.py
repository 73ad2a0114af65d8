"""What is measured, each in a process of its own: ``run(**options)`` gives its figures."""
