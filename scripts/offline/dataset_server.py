"""Starting, finding and stopping the dataset download's own server, which streams as the emulator cannot."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping

from offline.places import Places
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch

HEALTH_PATH = "/healthz"
# Downloads that run have five seconds to end.
STOP_SECONDS = 10.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LOG_LEVEL")


def find_running(places: Places) -> Running | None:
    """Return the server that this checkout started, if it still runs."""
    return find_recorded(places.datasets_run_file)


def is_healthy(places: Places) -> bool:
    """Tell whether the server answers."""
    return answers(places.datasets_port, HEALTH_PATH)


def read_settings(places: Places) -> dict[str, str] | None:
    """Return the server's environment as the deployment has it; None while there is none of the dataset download."""
    try:
        outputs = json.loads(places.outputs.read_text())
    except (OSError, ValueError):
        return None
    if outputs.get("aws_endpoint_url") != places.address or not outputs.get("dataset_bucket"):
        return None
    return {
        "AWS_ENDPOINT_URL": places.address,
        "AWS_REGION": outputs["aws_region"],
        "AWS_DEFAULT_REGION": outputs["aws_region"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DATASET_BUCKET": outputs["dataset_bucket"],
        "DATASET_PREFIX": outputs["dataset_prefix"],
        "EXPORT_BUCKET": outputs["dataset_export_bucket"],
        # Nothing ends an answer here as Lambda does: all of them stream.
        "STREAM_LIMIT_MB": "0",
    }


def ensure_running(places: Places, environment: Mapping[str, str] = os.environ) -> bool:
    """Start the server, or again if the deployment has changed, where there is one; tell whether it runs then.

    Raises StackError.
    """
    settings, code = read_settings(places), _fingerprint(places)
    running = find_running(places)
    if settings and running and running.told == {**settings, "code": code} and is_healthy(places):
        return True
    stop(places)
    if not settings:
        return False
    check_port_free(places.datasets_port)
    inherited = {name: environment[name] for name in INHERITED if name in environment}
    pid = launch(
        "the dataset server",
        [sys.executable, "-m", "dataset_download.serve", "--host", "127.0.0.1", "--port", str(places.datasets_port)],
        places.datasets_port,
        HEALTH_PATH,
        environment={**inherited, **settings, "PYTHONPATH": str(places.lambdas)},
        folder=places.lambdas,
        log=places.datasets_log,
        run_file=places.datasets_run_file,
    )
    record(places.datasets_run_file, pid, places.datasets_port, {**settings, "code": code})
    return True


def _fingerprint(places: Places) -> str:
    try:
        return hashlib.sha256(places.datasets_package.read_bytes()).hexdigest()
    except OSError:
        return ""


def stop(places: Places) -> bool:
    """Stop the server; tell whether it ran."""
    return stop_recorded(places.datasets_run_file, STOP_SECONDS)
