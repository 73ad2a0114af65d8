"""One supervised, registered, long-lived process per money transaction."""
