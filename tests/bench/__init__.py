"""Benchmarks: `make bench`, or one of them with `python -m tests.bench plan`. They assert nothing."""
