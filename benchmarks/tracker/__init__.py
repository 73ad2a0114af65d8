"""What the transaction tracker takes: requests, time and memory, each figure measured."""
