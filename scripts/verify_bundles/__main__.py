"""Runs the command line: `python -m verify_bundles`, with scripts/ and lambdas/ on the path."""

import sys

from verify_bundles.cli import main

if __name__ == "__main__":
    sys.exit(main())
