"""Tell of lines that are too long to be read aloud: `python check.py NOTES.md`."""

import sys
from pathlib import Path

for number, line in enumerate(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines(), start=1):
    if len(line) > 120:
        print(f"line {number} has {len(line)} characters")
