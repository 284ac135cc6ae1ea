"""A trail in a directory: one JSON Lines file per process, locked while its process lives."""
