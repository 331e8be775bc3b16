"""Trace: property test against a brute-force oracle, known cases, real data."""
