"""Print the curl configuration that signs requests as the caller's AWS identity: ``[SERVICE]``, by default execute-api.

The output goes to ``curl --config -`` through a pipe, so that no credential is ever an argument, which any user of
the machine could see.
"""

import os
import sys

import boto3


def main() -> int:
    """Print the configuration; fails if the default credential chain has none."""
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        print("no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID", file=sys.stderr)
        return 1
    frozen = credentials.get_frozen_credentials()
    service = sys.argv[1] if len(sys.argv) > 1 else "execute-api"
    print(f'aws-sigv4 = "aws:amz:{os.environ["AWS_REGION"]}:{service}"')
    print(f'user = "{frozen.access_key}:{frozen.secret_key}"')
    if frozen.token:
        print(f'header = "x-amz-security-token: {frozen.token}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
