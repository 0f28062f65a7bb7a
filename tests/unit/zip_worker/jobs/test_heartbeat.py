import time
from typing import cast

import pytest
from botocore.exceptions import ClientError

from zip_worker.exceptions import LeaseLostError
from zip_worker.jobs.heartbeat import Heartbeat
from zip_worker.jobs.table import JobTable


class DeafTable:
    """A job table that answers nothing but errors."""

    def renew(self, *_: object) -> bool:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "UpdateItem")


def test_worker_stops_when_it_could_not_renew_its_lease_in_time() -> None:
    """Another worker may have the job by now, though nothing has said so."""
    table = cast("JobTable", DeafTable())
    with Heartbeat(table, "job-1", lambda _: None, lease_seconds=1) as heartbeat:
        heartbeat.check()
        time.sleep(1.1)
        with pytest.raises(LeaseLostError, match="ran out"):
            heartbeat.check()
