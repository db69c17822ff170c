"""Benchmarks: one module per question, peers beside ours in the same run, results as JSON, tables made from them.

python -m benchmarks --help
"""
