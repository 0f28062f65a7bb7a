"""Deletes one object of the source bucket."""

import os
import sys

from lib.common.clients import make_s3_client


def main() -> int:
    """Run from the command line: ``KEY``."""
    make_s3_client().delete_object(Bucket=os.environ["SRC_BUCKET"], Key=sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
