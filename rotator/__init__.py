"""Rotates Pinata API keys kept in AWS Secrets Manager; the way in is `rotator.cli`."""

__version__ = "0.2.0"
