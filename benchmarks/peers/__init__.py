"""Other Python libraries with the same workloads, in an environment of their own."""
