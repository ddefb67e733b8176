"""Published results, measured again through fsbench's own strategies and engine: one command a row.

    python -m benchmarks.reference R5

What a row prints is what docs/reference-results.md holds.
"""
