"""The application on a port, by uvicorn, where it really streams: ``python -m dataset_download.serve``.

The signal USR1 has it write to standard error where each of its threads is.
"""

import argparse
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import uvicorn

from .env import SettingsError
from .http.application import create_app
from .service import make_service

_BACKLOG = 2048
_SHUTDOWN_SECONDS = 5
_SWITCH_SECONDS = 0.0005


def main(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Serve until a signal comes; return the exit code."""
    parser = argparse.ArgumentParser(prog="dataset_download.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: a free one, which is printed")
    options = parser.parse_args(arguments)
    try:
        listener = socket.create_server((options.host, options.port), backlog=_BACKLOG)
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    with listener:
        return _serve(listener, variables)


def _serve(listener: socket.socket, variables: Mapping[str, str]) -> int:
    host, port = listener.getsockname()[:2]
    address = f"http://{host}:{port}"
    # Outside Lambda, and unless another is given, this is the address under which the service is known.
    is_local = "AWS_LAMBDA_FUNCTION_NAME" not in variables
    given = {"PUBLIC_BASE_URL": variables.get("PUBLIC_BASE_URL") or address} if is_local else {}
    try:
        service = make_service({**variables, **given})
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    # What breaks an answer is in our own log; uvicorn would write its traceback once more.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        create_app(service, limited=True),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    faulthandler.register(signal.SIGUSR1)
    # Between threads that compute, the event loop has its turn sooner: it passes on many small pieces.
    sys.setswitchinterval(_SWITCH_SECONDS)
    print(f"serving on {address}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
