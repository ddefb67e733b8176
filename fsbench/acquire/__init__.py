"""Fetching datasets: download or read the original files, convert, check, and keep one file."""
