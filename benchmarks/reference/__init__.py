"""Published results, reproduced with fsbench's strategies and engine: one command per row.

    python -m benchmarks.reference R5

docs/reference-results.md contains what the rows print.
"""
