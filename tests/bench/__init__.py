"""Benchmarks: run all with `make bench`, one with `python -m tests.bench plan`. They assert nothing."""
