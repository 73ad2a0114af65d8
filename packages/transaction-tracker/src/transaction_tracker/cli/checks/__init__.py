"""What ``txtrack doctor`` looks at, one module for each part of the service."""
