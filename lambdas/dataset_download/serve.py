"""Command that serves the application with uvicorn, which streams: ``python -m dataset_download.serve``.

On SIGUSR1 it writes the stack of each thread to standard error.
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
    """Serve until a signal arrives; return the exit code."""
    parser = argparse.ArgumentParser(prog="dataset_download.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: a free port, which is printed")
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
    # Outside Lambda, this URL is the default for PUBLIC_BASE_URL.
    is_local = "AWS_LAMBDA_FUNCTION_NAME" not in variables
    given = {"PUBLIC_BASE_URL": variables.get("PUBLIC_BASE_URL") or address} if is_local else {}
    try:
        service = make_service({**variables, **given})
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    # Our own log reports an exception that truncates a response; uvicorn would repeat the traceback.
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
    # Worker threads hold the GIL; a shorter switch interval lets the event loop pass on its many small chunks sooner.
    sys.setswitchinterval(_SWITCH_SECONDS)
    print(f"serving on {address}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
