"""Start, lookup and stop of the dataset download's own server, which streams; the emulator cannot."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping

from offline.paths import Paths
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch

HEALTH_PATH = "/healthz"
# Running downloads get five seconds to end.
STOP_SECONDS = 10.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LOG_LEVEL")


def find_running(paths: Paths) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(paths.datasets_run_file)


def is_healthy(paths: Paths) -> bool:
    """Return whether the server answers."""
    return answers(paths.datasets_port, HEALTH_PATH)


def read_settings(paths: Paths) -> dict[str, str] | None:
    """Return the server's environment as the deployment has it; None while there is none of the dataset download."""
    try:
        outputs = json.loads(paths.outputs.read_text())
    except (OSError, ValueError):
        return None
    if outputs.get("aws_endpoint_url") != paths.address or not outputs.get("dataset_bucket"):
        return None
    return {
        "AWS_ENDPOINT_URL": paths.address,
        "AWS_REGION": outputs["aws_region"],
        "AWS_DEFAULT_REGION": outputs["aws_region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DATASET_BUCKET": outputs["dataset_bucket"],
        "DATASET_PREFIX": outputs["dataset_prefix"],
        "EXPORT_BUCKET": outputs["dataset_export_bucket"],
        # Unlike Lambda, this server does not limit responses: all of them stream.
        "STREAM_LIMIT_MB": "0",
    }


def ensure_running(paths: Paths, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server, or restart it if the deployment has changed; return whether it runs.

    Raises StackError.
    """
    settings, code = read_settings(paths), _fingerprint(paths)
    running = find_running(paths)
    if settings and running and running.told == {**settings, "code": code} and is_healthy(paths):
        return True
    stop(paths)
    if not settings:
        return False
    check_port_free(paths.datasets_port)
    inherited = {name: environment[name] for name in INHERITED if name in environment}
    pid = launch(
        "the dataset server",
        [sys.executable, "-m", "dataset_download.serve", "--host", "127.0.0.1", "--port", str(paths.datasets_port)],
        paths.datasets_port,
        HEALTH_PATH,
        environment={**inherited, **settings, "PYTHONPATH": str(paths.lambdas)},
        folder=paths.lambdas,
        log=paths.datasets_log,
        run_file=paths.datasets_run_file,
    )
    record(paths.datasets_run_file, pid, paths.datasets_port, {**settings, "code": code})
    return True


def _fingerprint(paths: Paths) -> str:
    try:
        return hashlib.sha256(paths.datasets_package.read_bytes()).hexdigest()
    except OSError:
        return ""


def stop(paths: Paths) -> bool:
    """Stop the server; return whether it ran."""
    return stop_recorded(paths.datasets_run_file, STOP_SECONDS)
