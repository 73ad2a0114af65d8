"""The external term format: pure functions from terms to bytes and back."""
