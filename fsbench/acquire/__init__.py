"""How datasets get here: download or read the original files, convert, check, keep one file."""
