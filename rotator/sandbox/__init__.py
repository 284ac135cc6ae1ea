"""The embedded default: simulated systems with which everything runs without an account."""
