"""Readers that seek: a filtered Parquet answer is read over HTTP by ranges, by pyarrow's own reader."""

import io
import urllib.request

import duckdb
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.integration.dataset_download.servers import Cloud, Server, make_transactions, run_server

TARGET = "transactions.parquet?organisation-entity__lt=org-100"


class RemoteFile(io.RawIOBase):
    """A file behind HTTP: its length by HEAD, each read a range, as Polars, DuckDB and fsspec do."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._position = 0
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as answer:
            self.size = int(answer.headers["Content-Length"])
            self.tag = answer.headers["ETag"]
            assert answer.headers["Accept-Ranges"] == "bytes"
        self.reads = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._position + size)
        if end <= self._position:
            return b""
        asked = {"Range": f"bytes={self._position}-{end - 1}"}
        with urllib.request.urlopen(urllib.request.Request(self._url, headers=asked)) as answer:
            data = bytes(answer.read())
            assert answer.status == 206
        assert len(data) == end - self._position
        self._position = end
        self.reads += 1
        return data


@pytest.mark.parametrize("limit", ["0", "50", "1"])
def test_columns_of_a_filtered_answer_are_read_by_ranges(cloud: Cloud, limit: str) -> None:
    """Without a limit, under one, and by way of an export."""
    with run_server(cloud.url, STREAM_LIMIT_MB=limit) as server:
        file = RemoteFile(f"{server.url}/{TARGET}")
        found = pq.ParquetFile(file, pre_buffer=False).read(columns=["id", "amount"])
        table = make_transactions()
        expected = table.filter(pc.less(table["organisation-entity"], "org-100")).select(["id", "amount"])
        assert found.equals(expected)
        assert file.reads > 1


def test_duckdb_reads_it_by_ranges(server: Server) -> None:
    with duckdb.connect() as connection:
        try:
            connection.execute("LOAD httpfs")
        except duckdb.Error:
            pytest.skip("DuckDB's extension httpfs is not installed")
        query = f"SELECT count(*), sum(id) FROM read_parquet('{server.url}/{TARGET}')"
        assert connection.execute(query).fetchall() == [(200_000, sum(range(200_000)))]
