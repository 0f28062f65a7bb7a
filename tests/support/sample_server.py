"""The sample file server for a test: ordinary files and the hostile mode, see scripts/sample_files/README.md."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sample_files.server import SampleServer


@contextmanager
def run_sample_server(host: str = "127.0.0.1") -> Iterator[str]:
    """Run the server on a free port, in threads of this process, while the block lasts; gives its base URL.

    Answers that still sleep when the block ends are left to end by themselves.
    """
    server = SampleServer(host, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
