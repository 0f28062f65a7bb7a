"""Start, lookup and stop of the emulator."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from offline.paths import Paths, StackError
from offline.records import Running, find_recorded, record, stop_recorded
from offline.servers import answers, check_port_free, launch

PROGRAM = Path(__file__).with_name("emulator_process.py")
HEALTH_PATH = "/_localstack/health"
# Saving the state at the end takes a second or two with a full stack.
STOP_SECONDS = 30.0
# The variables that the emulator, and the functions that inherit from it, get from the user's environment: no
# credentials, profiles or endpoints of real accounts. AUTH=true turns the enforcement of IAM policies on.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "AUTH", "LOG_LEVEL")


def find_running(paths: Paths) -> Running | None:
    """Return the emulator that this checkout started, if it still runs."""
    return find_recorded(paths.run_file)


def wants_auth(environment: Mapping[str, str]) -> bool:
    """Return whether the emulator enforces IAM policies, by its own reading of the variable."""
    return environment.get("AUTH", "").lower() == "true"


def _tell(environment: Mapping[str, str]) -> dict[str, str]:
    return {"auth": str(wants_auth(environment)).lower()}


def check_same(running: Running, paths: Paths, environment: Mapping[str, str]) -> None:
    """Raise StackError if the running emulator differs from the requested one."""
    if running.port != paths.port:
        raise StackError(
            f"this checkout's stack already runs on port {running.port}, not {paths.port}: `make down` first"
        )
    if running.told != _tell(environment):
        how = "without" if wants_auth(environment) else "with"
        raise StackError(f"the stack already runs {how} IAM enforcement (AUTH=true): `make down` first")


def start(paths: Paths, python: Path, environment: Mapping[str, str]) -> Running:
    """Start the emulator and wait until it answers; raises StackError with the reason and the log's end."""
    check_port_free(paths.port)
    check_data_port(paths)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    for folder in (paths.temporary, paths.data):
        folder.mkdir(parents=True, exist_ok=True)
    (paths.data / "port").write_text(str(paths.port))
    pid = launch(
        "the emulator",
        make_command(python),
        paths.port,
        HEALTH_PATH,
        environment=make_environment(paths, environment),
        folder=paths.temporary,
        log=paths.log,
        run_file=paths.run_file,
    )
    return record(paths.run_file, pid, paths.port, _tell(environment))


def make_command(python: Path) -> list[str]:
    """Return the command that runs the emulator by its own environment's Python.

    -P: the program's folder, which has a module of the emulator's name, is not where it looks for modules.
    """
    return [str(python), "-P", str(PROGRAM)]


def make_environment(paths: Paths, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the emulator's environment: its own variables and a few of the user's."""
    kept = {name: environment[name] for name in INHERITED if name in environment}
    return kept | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(paths.port),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(paths.data / "s3"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(paths.data / "state"),
        "TMPDIR": str(paths.temporary),
        # The emulator must not see the user's profiles and containers.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DOCKER_HOST": f"unix://{paths.temporary}/no-docker.sock",
    }


def check_data_port(paths: Paths) -> None:
    """Raise StackError if the stored data was written on another port.

    The emulator keeps queues by addresses that hold its port, and on another one no event source would
    ever find its queue: jobs would wait for ever.
    """
    note = paths.data / "port"
    # The file is empty if a start was killed at that moment.
    port = (note.read_text().strip() if note.is_file() else "") or str(paths.port)
    if port != str(paths.port):
        raise StackError(
            f"the kept data belongs to port {port}, not {paths.port}: start with SLUICE_PORT_BASE={port}, "
            "or forget the data by `make down KEEP=0`"
        )


def is_healthy(paths: Paths) -> bool:
    """Return whether the emulator answers."""
    return answers(paths.port, HEALTH_PATH)


def stop(paths: Paths) -> bool:
    """Stop the emulator and its functions, giving it time to save its state; return whether it ran."""
    stopped = stop_recorded(paths.run_file, STOP_SECONDS)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    return stopped
