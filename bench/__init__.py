"""Benchmarks that print tables; never part of the tests."""
