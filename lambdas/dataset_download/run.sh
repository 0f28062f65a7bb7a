#!/bin/bash
# Started by the Lambda Web Adapter in place of Lambda's own runtime client: the function's handler is this file.
set -euo pipefail
# What that client would have done: the layers' packages and the runtime's boto3 on the path.
export PYTHONPATH="${LAMBDA_TASK_ROOT:-.}:/opt/python:/var/runtime${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m dataset_download.serve --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}"
