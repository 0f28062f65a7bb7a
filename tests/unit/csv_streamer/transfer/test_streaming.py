"""Every kind of server, good and bad: what is stored is byte for byte what it serves, or nothing."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from csv_streamer.s3.copier import Copier
from csv_streamer.s3.multipart_upload import Upload
from sample_files import expected_sha256, expected_size
from tests.unit.csv_streamer.conftest import BUCKET, PART, Streamer

SIZE = 1_000_000


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/files/transactions.csv?bytes={SIZE}", id="ranges"),
        pytest.param(f"/files/transactions.csv?bytes={PART}", id="one part exactly"),
        pytest.param(f"/files/transactions.csv?bytes={2 * PART}", id="two parts exactly"),
        pytest.param(f"/files/transactions.csv?bytes={PART - 1}", id="a byte less than a part"),
        pytest.param(f"/files/transactions.csv?bytes={PART + 1}", id="a byte more than a part"),
        pytest.param("/files/transactions.csv?bytes=200", id="small"),
        pytest.param(f"/files/transactions.csv?bytes={SIZE}&validator=weak", id="weak ETag"),
        pytest.param(f"/files/transactions.csv?bytes={SIZE}&validator=time", id="only Last-Modified"),
        pytest.param(f"/files/transactions.csv?bytes={SIZE}&validator=none", id="no validator"),
        pytest.param(f"/random?bytes={SIZE}&seed=1", id="random bytes"),
        pytest.param(f"/hostile/chunked/units.csv?bytes={SIZE}", id="chunked without length"),
        pytest.param("/hostile/chunked/units.csv?bytes=3000&chunk=1", id="chunks of one byte"),
        pytest.param(f"/hostile/chunked/units.csv?bytes={SIZE}&ranges=yes", id="chunked with ranges"),
        pytest.param(
            f"/hostile/chunked/units.csv?bytes={SIZE}&ranges=yes&cut=300000&times=2", id="chunked, cut, resumed"
        ),
        pytest.param(f"/hostile/chunked/units.csv?bytes={SIZE}&cut=300000&times=2", id="chunked, cut, begun anew"),
        pytest.param(f"/hostile/close?bytes={SIZE}", id="ends with the connection"),
        pytest.param(f"/hostile/close?bytes={SIZE}&http=1.0", id="HTTP/1.0"),
        pytest.param(f"/hostile/status/a.csv?bytes={SIZE}&code=503&times=2", id="503 then ok"),
        pytest.param(f"/hostile/status/a.csv?bytes={SIZE}&code=429&retry_after=0&times=3", id="429 then ok"),
        pytest.param(f"/hostile/status/a.csv?bytes={SIZE}&code=500&times=4", id="500 then ok at the last attempt"),
        pytest.param(f"/hostile/drop/a.csv?bytes={SIZE}&every=70000", id="dropped every 70 KB"),
        pytest.param(f"/hostile/drop/a.csv?bytes={SIZE}&every=70000&how=rst", id="reset every 70 KB"),
        pytest.param(f"/hostile/drop/a.csv?bytes={SIZE}&every=5000&validator=time", id="resumed by date"),
        pytest.param(f"/hostile/drop/a.csv?bytes={SIZE}&every=400000&ranges=no&times=3", id="dropped without ranges"),
        pytest.param(
            f"/hostile/drop/a.csv?bytes={SIZE}&every=400000&ranges=ignored&times=2", id="ranges only promised"
        ),
        pytest.param(f"/hostile/drop/a.csv?bytes={SIZE}&every=9000&changes=2", id="changes under way"),
        pytest.param(f"/hostile/ignore-range/a.csv?bytes={SIZE}", id="ranges are ignored"),
        pytest.param(f"/hostile/stall/a.csv?bytes={SIZE}&after=300000&seconds=3&times=1", id="stalls once"),
        pytest.param(f"/hostile/limited/a.csv?bytes={SIZE}&connections=2", id="two connections at most"),
        pytest.param(f"/hostile/limited/a.csv?bytes={SIZE}&connections=1&code=503", id="one connection at most"),
        pytest.param(f"/hostile/hang-up/a.csv?bytes={SIZE}&times=2", id="hangs up twice"),
        pytest.param(f"/hostile/garbage/a.csv?bytes={SIZE}&times=1", id="no HTTP at first"),
        pytest.param(f"/hostile/no-head/a.csv?bytes={SIZE}", id="knows no HEAD"),
        pytest.param(f"/hostile/long-length/a.csv?bytes={SIZE}&times=1", id="wrong length at first"),
        pytest.param(f"/hostile/gzip/a.csv?bytes={SIZE}", id="gzip, stored as served"),
        pytest.param("/hostile/slow-headers/a.csv?bytes=1000&delay=0.1", id="slow headers"),
        pytest.param("/hostile/trickle/a.csv?bytes=30000&step=3000&pause=0.02", id="trickles"),
        pytest.param(f"/hostile/redirect?to={quote('/files/units.csv?bytes=300000', safe='')}", id="relative redirect"),
        pytest.param(
            f"/hostile/redirect?to={quote('/files/units.csv?bytes=300000', safe='')}&hops=4", id="five redirects"
        ),
        pytest.param("/hostile/empty?how=length", id="empty"),
        pytest.param("/hostile/empty?how=chunked", id="empty, chunked"),
        pytest.param("/hostile/empty?how=close", id="empty, ends with the connection"),
    ],
)
def test_what_is_stored_is_what_the_server_serves(
    streamer: Streamer, path: str, request: pytest.FixtureRequest
) -> None:
    streamer.set("STALL_SECONDS", "1")
    path += f"{'&' if '?' in path else '?'}token={quote(request.node.name)}"
    (result,) = streamer.run(path)
    assert result["status"] == "success", result
    assert streamer.sha256(result["s3_key"]) == expected_sha256(path)
    assert result["bytes"] == expected_size(path)
    assert streamer.unfinished_uploads() == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"/hostile/status/a.csv?bytes={SIZE}&code=404", "HTTP 404 Not Found"),
        (f"/hostile/status/a.csv?bytes={SIZE}&code=403", "HTTP 403 Forbidden"),
        (f"/hostile/status/a.csv?bytes={SIZE}&code=500", "gave up after 5 attempts: HTTP 500"),
        (f"/hostile/status/a.csv?bytes={SIZE}&code=501&retry_after=0", "gave up after 5 attempts: HTTP 501"),
        (f"/hostile/long-length/a.csv?bytes={SIZE}", "restarted 5 times: the connection broke at byte 1000000"),
        (f"/hostile/drop/a.csv?bytes={SIZE}&every=400000&ranges=no", "the connection broke at byte 400000"),
        (f"/hostile/drop/a.csv?bytes={SIZE}&every=400000&ranges=ignored", "does not send ranges of it"),
        (f"/hostile/chunked/a.csv?bytes={SIZE}&cut=300000", "the connection broke at byte 300000"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=start", "another range than requested"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=size", "changed while it was fetched"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=missing", "another range than requested"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=unit", "another range than requested"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=wider", "another range than requested"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=garbled", "another range than requested"),
        (f"/hostile/wrong-range/a.csv?bytes={SIZE}&wrong=etag", "changed while it was fetched"),
        (f"/hostile/stall/a.csv?bytes={SIZE}&after=0&seconds=1", "the connection stalled"),
        (f"/hostile/hang-up/a.csv?bytes={SIZE}", "the connection was dropped"),
        (f"/hostile/garbage/a.csv?bytes={SIZE}", "no valid HTTP response"),
        ("/hostile/redirect-loop", "more than 20 redirects"),
        ("/hostile/redirect?to=ftp%3A//example.com/a.csv", "redirected to a ftp: URL"),
        ("/hostile/redirect?to=file%3A///etc/passwd", "redirected to a file: URL"),
        ("/hostile/slow-headers/a.csv?bytes=1000&delay=1", "the connection stalled"),
        ("/hostile/not-modified/a.csv", "HTTP 304"),
        ("/hostile/protected", "HTTP 401 Unauthorized"),
        ("http://127.0.0.1:9/a.csv", "no connection"),
        ("http://no-such-host.invalid/a.csv", "no connection"),
    ],
)
def test_a_failure_is_named_and_leaves_nothing(
    streamer: Streamer, path: str, reason: str, request: pytest.FixtureRequest
) -> None:
    streamer.set("STALL_SECONDS", "1")
    good = "/files/units.csv?bytes=100000"
    bad, other = streamer.run(f"{path}{'&' if '?' in path else '?'}token={quote(request.node.name)}", good)
    assert bad["status"] == "failed"
    assert reason in bad["error"]
    assert streamer.unfinished_uploads() == 0
    assert streamer.keys() == {other["s3_key"]}
    assert streamer.sha256(other["s3_key"]) == expected_sha256(good)
    (line,) = streamer.named("file_error")
    assert line["error"] == bad["error"]
    assert (streamer.metrics["FilesFailed"], streamer.metrics["FilesSucceeded"]) == (1, 1)


def test_a_private_address_is_refused_unless_allowed(streamer: Streamer) -> None:
    streamer.set("ALLOW_PRIVATE_HOSTS", "false")
    (result,) = streamer.run("/files/units.csv?bytes=1000")
    assert result["status"] == "failed"
    assert "127.0.0.1 is not a public address" in result["error"]
    assert not streamer.named("file_retry"), "trying again would not help"


def test_zero_bytes_become_an_empty_object_by_one_request(streamer: Streamer) -> None:
    (result,) = streamer.run("/hostile/empty?how=length")
    assert (result["bytes"], result["parts"]) == (0, 0)
    (counters,) = streamer.named("s3_request_counters")
    assert (counters["put_object"], counters["create_multipart"]) == (1, 0)
    assert streamer.named("file_complete_zero")


def test_a_gzip_body_keeps_its_encoding(streamer: Streamer) -> None:
    (result,) = streamer.run(f"/hostile/gzip/a.csv?bytes={SIZE}")
    head = streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])
    assert head["ContentEncoding"] == "gzip"


def test_objects_tell_where_they_came_from_without_secrets(streamer: Streamer) -> None:
    path = "/files/units.csv?bytes=1000&token=s3cret"
    (result,) = streamer.run(path.replace("/files", "/files", 1))
    head = streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])
    assert head["Metadata"]["source_url"] == f"{streamer.server}/files/units.csv?bytes=&token="
    assert {"ingestion_time", "source_etag", "source_last_modified"} <= set(head["Metadata"])
    assert "s3cret" not in str(streamer.events) + str(result)


def test_two_files_of_one_name_are_both_kept_in_the_order_of_the_entries(streamer: Streamer) -> None:
    slow = "/hostile/slow-headers/units.csv?bytes=1000&delay=0.3"
    quick = "/files/units.csv?bytes=2000"
    streamer.set("SUFFIX_MAP", '{"units": null}')
    first, second = streamer.run(slow, quick)
    assert first["s3_key"].endswith("/units.csv")
    assert second["s3_key"].endswith("/units-2.csv")
    assert streamer.sha256(second["s3_key"]) == expected_sha256(quick)


def test_a_name_from_the_server_is_taken_as_one_segment(streamer: Streamer) -> None:
    (result,) = streamer.run(f"/hostile/name?bytes=1000&value={quote('attachment; filename="../../etc/passwd"')}")
    assert result["s3_key"].endswith("/passwd")


def test_entries_may_say_more_than_a_url(streamer: Streamer) -> None:
    entry = {
        "url": "/hostile/protected?bytes=1000&header=X-Api-Key&value=k",
        "name": "given.csv",
        "prefix": "elsewhere",
        "headers": {"X-Api-Key": "k"},
        "content_type": "text/plain",
    }
    (result,) = streamer.run(entry)
    assert result["status"] == "success", result
    assert result["s3_key"].startswith("elsewhere/")
    assert result["s3_key"].endswith("/given.csv")
    assert streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])["ContentType"] == "text/plain"


def test_wrong_entries_fail_by_name_and_the_others_go_on(streamer: Streamer) -> None:
    good = "/files/units.csv?bytes=1000"
    results = streamer.run(
        {"url": good, "colour": "red"}, 7, good, "ftp://host/a", {"name": "x"}, {"url": good, "prefix": "a/../b"}
    )
    assert [result["status"] for result in results] == ["failed", "failed", "success", "failed", "failed", "failed"]
    for index, problem in {
        0: "file_urls[0]: unknown: 'colour'",
        1: "file_urls[1]: neither a URL",
        3: "file_urls[3]: url is not an http",
        4: "file_urls[4]: url is missing",
        5: "file_urls[5]: prefix 'a/../b'",
    }.items():
        assert problem in results[index]["error"]


def test_all_failed_is_502(streamer: Streamer) -> None:
    streamer.put_parameters("/hostile/status?code=404", "/hostile/status?code=410")
    status, body = streamer.invoke()
    assert status == 502
    assert body["message"] == "Streamed 0 ok, 2 failed"


def test_some_failed_is_200(streamer: Streamer) -> None:
    streamer.put_parameters("/hostile/status?code=404", "/files/units.csv?bytes=10")
    status, body = streamer.invoke()
    assert (status, body["summary"]["failed"], body["summary"]["successful"]) == (200, 1, 1)


@pytest.mark.parametrize("parameters", [b"{}", b'{"file_urls": []}', b'{"file_urls": null}'])
def test_no_files_is_400(streamer: Streamer, parameters: bytes) -> None:
    streamer.s3.put_object(Bucket=BUCKET, Key="config/parameters.json", Body=parameters)
    assert streamer.invoke()[0] == 400
    assert streamer.named("no_file_urls")


@pytest.mark.parametrize("parameters", [None, b"", b"{", b"[]", b'{"file_urls": "http://a/b"}', b"\xff\xfe"])
def test_unreadable_parameters_are_500(streamer: Streamer, parameters: bytes | None) -> None:
    if parameters is not None:
        streamer.s3.put_object(Bucket=BUCKET, Key="config/parameters.json", Body=parameters)
    status, body = streamer.invoke()
    assert status == 500
    assert "config/parameters.json" in body["message"]
    assert streamer.named("parameters_load_error")
    assert streamer.metrics["RunsFailed"] == 1


@pytest.mark.parametrize(("times", "status"), [(2, 200), (3, 500)])
def test_parameters_that_end_early_are_read_again(streamer: Streamer, times: int, status: int) -> None:
    streamer.put_parameters("/files/units.csv?bytes=100")
    streamer.shorten("GetObject", times)
    assert streamer.invoke()[0] == status


def test_wrong_settings_are_500_and_all_are_named(streamer: Streamer) -> None:
    streamer.set("BUCKET_NAME", "")
    streamer.set("S3_PART_MB", "4")
    status, body = streamer.invoke()
    assert status == 500
    assert "BUCKET_NAME is not set; S3_PART_MB is 4" in body["message"]


def test_settings_beyond_the_functions_memory_are_refused(streamer: Streamer) -> None:
    streamer.set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    status, body = streamer.invoke()
    assert status == 500
    assert "lower S3_PART_MB" in body["message"]


def test_a_file_beyond_the_limit_is_refused(streamer: Streamer) -> None:
    streamer.set("MAX_FILE_GB", "1")
    (result,) = streamer.run("/files/units.csv?bytes=1073741825")
    assert "more than MAX_FILE_GB allows" in result["error"]
    assert streamer.unfinished_uploads() == 0


def test_the_counter_counts_every_request(streamer: Streamer) -> None:
    streamer.put_parameters(f"/files/units.csv?bytes={3 * PART}", "/files/projects.csv?bytes=10")
    _, body = streamer.invoke()
    counts = body["s3_request_counts"]
    assert {name: count for name, count in counts.items() if count} == {
        "create_multipart": 1,
        "upload_part": 3,
        "complete_multipart": 1,
        "put_object": 1,
        "get_object": 1,
        "head_object": 1,
        "copy_object": 1,
        "delete_object": 1,
        "lease": 2,
        "total": 12,
    }
    assert body["results"][0]["parts"] == 3


def test_ranges_are_fetched_side_by_side(streamer: Streamer) -> None:
    streamer.run(f"/files/units.csv?bytes={SIZE}&token=ranges")
    asked = streamer.requests("ranges")
    assert sum("Range" in request["headers"] for request in asked) > SIZE / PART
    assert all(request["headers"]["If-Range"].startswith('"') for request in asked if "Range" in request["headers"])


def test_one_connection_asks_once(streamer: Streamer) -> None:
    streamer.set("RANGE_CONNECTIONS", "1")
    streamer.run(f"/files/units.csv?bytes={SIZE}&token=single")
    assert len(streamer.requests("single")) == 1


def test_progress_is_logged(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    streamer.set("PROGRESS_SECONDS", "1")
    (result,) = streamer.run("/files/units.csv?bytes=300000&kbps=150&validator=none")
    progress = streamer.named("file_progress")
    assert progress
    assert all(line["s3_key"] == result["s3_key"] and line["expected"] == 300000 for line in progress)
    assert all(0 < line["percent"] <= 100 for line in progress)


def test_an_upload_that_fails_is_aborted_and_named(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    streamer.deny("UploadPart", after=3)
    (result,) = streamer.run(f"/files/units.csv?bytes={SIZE}")
    assert result["status"] == "failed"
    assert result["error"] == "UploadPart failed: AccessDenied"
    assert streamer.unfinished_uploads() == 0
    assert [line["event"] for line in streamer.events if "abort" in line["event"]] == [
        "multipart_abort_start",
        "multipart_abort_done",
    ]


def test_a_server_that_asks_for_more_patience_than_there_is_defers_the_file(streamer: Streamer) -> None:
    (result,) = streamer.run("/hostile/status/a.csv?code=429&retry_after=3600")
    assert result["status"] == "deferred"
    assert "the next attempt in 3600 s would be too late" in result["error"]


def test_it_fails_the_file_where_another_invocation_would_get_no_further(streamer: Streamer) -> None:
    streamer.set("CONTINUE_ASYNC", "true")
    (result,) = streamer.run("/hostile/status/a.csv?code=503&retry_after=3600")
    assert result["status"] == "failed"
    assert "a whole invocation was not enough" in result["error"]


def test_a_completion_whose_answer_is_lost_is_a_success(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = Upload._complete

    async def complete_twice(upload: Upload) -> Mapping[str, Any] | None:
        await complete(upload)
        return await complete(upload)

    monkeypatch.setattr(Upload, "_complete", complete_twice)
    (result,) = streamer.run(path := f"/files/units.csv?bytes={SIZE}")
    assert result["status"] == "success", result
    assert streamer.sha256(result["s3_key"]) == expected_sha256(path)
    assert len(streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"]) == 1


def test_an_object_of_another_size_is_deleted_and_named(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copier.copy

    async def store_less(copier: Copier, size: int, attributes: Mapping[str, Any], part_size: int) -> None:
        copier._s3.client.put_object(**copier._from["CopySource"], Body=b"less")
        copier._from.pop("CopySourceIfMatch")
        await copy(copier, size, attributes)

    monkeypatch.setattr(Copier, "copy", store_less)
    (result,) = streamer.run(f"/files/units.csv?bytes={SIZE}")
    assert "bytes were received but S3 stored" in result["error"]
    assert "Versions" not in streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")


def test_a_connection_that_is_told_to_wait_leaves_its_work_to_the_others(streamer: Streamer) -> None:
    path = f"/hostile/limited/units.csv?bytes={SIZE}&connections=2&code=429&retry_after=60"
    (result,) = streamer.run(path)
    assert result["status"] == "success", result
    assert streamer.sha256(result["s3_key"]) == expected_sha256(path)


def test_the_prefix_of_states_is_not_for_files(streamer: Streamer) -> None:
    (result,) = streamer.run({"url": "/files/units.csv?bytes=10", "prefix": ".csv-streamer/x"})
    assert "where the states of runs are kept" in result["error"]
