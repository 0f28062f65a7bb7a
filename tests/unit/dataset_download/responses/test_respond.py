import csv
import gzip
import io
import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from starlette.types import ASGIApp

from dataset_download.http.application import create_app
from tests.unit.dataset_download.asgi import Answer, call
from tests.unit.dataset_download.conftest import ROWS, Aws, MakeService, make_customers, read_events, read_metrics


def check_problem(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    for word in words:
        assert word in answer.json["detail"]


def test_each_format_has_all_rows(app: ASGIApp) -> None:
    table = make_customers()
    lines = list(csv.DictReader(io.StringIO(call(app, "/customers.csv").text, newline="")))
    rows = call(app, "/customers.json").json
    assert [line["name"] for line in lines] == table["name"].to_pylist()
    assert rows == [json.loads(line) for line in call(app, "/customers.jsonl").text.splitlines()]
    assert [row["id"] for row in rows] == list(range(ROWS))
    part = pq.read_table(io.BytesIO(call(app, "/customers.parquet?organisation-entity=org-7").body))
    assert part.equals(table.slice(700, 100))


def test_the_headers_of_a_download(app: ASGIApp, aws: Aws) -> None:
    answer = call(app, "/customers.csv")
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="customers.csv"'
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["x-dataset"] == "customers"
    assert answer.headers["x-row-count"] == str(ROWS)
    assert answer.headers["x-content-type-options"] == "nosniff"
    written = aws.s3.head_object(Bucket="data", Key="customers.parquet")["LastModified"]
    assert parsedate_to_datetime(answer.headers["last-modified"]) == written


def test_a_filtered_download_is_kept_for_less_and_named_by_its_filter(app: ASGIApp) -> None:
    answer = call(app, "/customers.json?organisation-entity=org-3")
    assert len(answer.json) == 100
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "customers_organisation-entity-org-3.json" in answer.headers["content-disposition"]
    assert answer.headers["x-row-count"] == "100"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_the_tag_tells_answers_apart(app: ASGIApp, aws: Aws) -> None:
    targets = ["customers.csv", "customers.json", "customers.jsonl", "customers.csv?limit=1", "customers.csv?id=1"]
    tags = [call(app, f"/{target}").headers["etag"] for target in targets]
    assert len(set(tags)) == len(targets)
    assert (
        call(app, "/customers.csv?id=1&select=id").headers["etag"]
        == call(app, "/customers.csv?select=id&id=1").headers["etag"]
    )
    aws.put("customers.parquet", make_customers(10))
    assert call(app, "/customers.csv").headers["etag"] not in tags


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_who_has_the_answer_gets_304(app: ASGIApp, encoding: str) -> None:
    tag = call(app, "/customers.csv", {"Accept-Encoding": encoding}).headers["etag"]
    again = call(app, "/customers.csv", {"If-None-Match": f'"other", W/{tag}'})
    assert again.status == 304
    assert again.body == b""
    assert {"etag", "cache-control", "vary", "last-modified"} <= set(again.headers)
    assert call(app, "/customers.csv?limit=5", {"If-None-Match": tag}).status == 200


def test_who_has_an_answer_of_that_date_gets_304(app: ASGIApp, aws: Aws) -> None:
    known = call(app, "/customers.csv").headers
    date = known["last-modified"]
    again = call(app, "/customers.csv", {"If-Modified-Since": date})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", known["etag"])
    assert call(app, "/customers.csv", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}).status == 304
    assert call(app, "/customers.parquet", {"If-Modified-Since": date}, method="HEAD").status == 304
    for other in ("Sat, 01 Jan 2000 00:00:00 GMT", "yesterday", ""):
        assert call(app, "/customers.csv", {"If-Modified-Since": other}).status == 200
    # The tag goes before the date.
    assert call(app, "/customers.csv", {"If-Modified-Since": date, "If-None-Match": '"another"'}).status == 200
    assert call(app, "/customers.csv", {"If-Modified-Since": "x", "If-None-Match": known["etag"]}).status == 304


def test_a_date_tells_nothing_of_several_files(app: ASGIApp, aws: Aws) -> None:
    for name in ("1", "2"):
        aws.put(f"folder/{name}.parquet", make_customers(1))
    date = call(app, "/folder.csv").headers["last-modified"]
    assert call(app, "/folder.csv", {"If-Modified-Since": date}).status == 200


def test_gzip_is_sent_to_who_accepts_it(app: ASGIApp) -> None:
    plain = call(app, "/customers.csv")
    packed = call(app, "/customers.csv", {"Accept-Encoding": "br;q=1.0, gzip;q=0.2"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + '-gzip"'
    assert packed.body == plain.body
    assert "content-encoding" not in call(app, "/customers.parquet?limit=1", {"Accept-Encoding": "gzip"}).headers


def test_who_accepts_nothing_gets_406(app: ASGIApp) -> None:
    check_problem(call(app, "/customers.csv", {"Accept-Encoding": "*;q=0"}), 406)


def test_what_is_larger_than_a_small_answer_is_streamed(make: MakeService) -> None:
    app = create_app(make(small_answer=1000))
    plain, packed = call(app, "/customers.csv"), call(app, "/customers.csv", {"Accept-Encoding": "gzip"})
    assert "content-length" not in plain.headers
    assert plain.is_whole
    assert plain.body == packed.body == call(create_app(make()), "/customers.csv").body
    assert plain.headers["x-row-count"] == str(ROWS)
    gzip.decompress(b"".join(packed.chunks))


@pytest.mark.parametrize(
    "target", ["/customers.csv", "/customers.json?limit=3", "/customers", "/", "/datasets.json", "/docs"]
)
def test_head_is_answered_without_a_body(app: ASGIApp, target: str) -> None:
    get, head = call(app, target), call(app, target, method="HEAD")
    assert head.status == get.status == 200
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_a_download_makes_no_claim_about_its_length(app: ASGIApp) -> None:
    answer = call(app, "/customers.csv", method="HEAD")
    assert answer.body == b""
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_of_a_dataset_as_parquet_is_its_object(app: ASGIApp, method: str) -> None:
    answer = call(app, "/customers.parquet", method=method)
    assert answer.status == 307
    assert "/customers.parquet?" in answer.headers["location"]
    assert "X-Amz-Signature=" in answer.headers["location"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-row-count"] == str(ROWS)


def test_a_head_and_a_get_are_signed_each_for_itself(app: ASGIApp) -> None:
    get, head = (call(app, "/customers.parquet", method=method).headers["location"] for method in ("GET", "HEAD"))
    assert get.partition("Signature=")[2] != head.partition("Signature=")[2]


def test_redirects_can_be_off(make: MakeService) -> None:
    answer = call(create_app(make(redirect_parquet=False)), "/customers.parquet")
    assert pq.read_table(io.BytesIO(answer.body)).equals(make_customers())


def test_a_folder_is_one_parquet_file(app: ASGIApp, aws: Aws) -> None:
    for year in (2024, 2025):
        aws.put(f"parts/year={year}/a.parquet", make_customers(10))
    answer = call(app, "/parts.parquet")
    assert answer.status == 200
    assert pq.read_table(io.BytesIO(answer.body)).num_rows == 20


BAD_NAMES = [
    "/../secrets.csv",
    "/%2e%2e/secrets.csv",
    "/..%2fsecrets.csv",
    "/a/b.csv",
    "/a%5cb.csv",
    "/a%00.csv",
    "/a b.csv",
    "/.csv",
    "//customers.csv",
    "/customers.csv/",
    "/customers.csv%00",
    "/a" * 50 + ".csv",
    f"/{'a' * 101}.csv",
    f"/{'a' * 5000}",
    f"/{quote('Zürich')}.csv",
    "/%ff%fe.csv",
    "/a;b.csv",
    "/a%0d%0aSet-Cookie:x.csv",
]


@pytest.mark.parametrize("target", BAD_NAMES)
def test_a_name_that_no_dataset_can_have_is_400(app: ASGIApp, target: str) -> None:
    check_problem(call(app, target), 400, "letters, digits, hyphens")


@pytest.mark.parametrize("name", ["a", "a" * 100, "A-b_9", "-", "_"])
def test_a_name_that_no_dataset_has_is_404(app: ASGIApp, name: str) -> None:
    check_problem(call(app, f"/{name}.csv"), 404, name)


@pytest.mark.parametrize("extension", ["xlsx", "CSV", "csv.gz", "csv.", "", "x" * 500])
def test_an_unknown_format_is_404_naming_the_formats(app: ASGIApp, extension: str) -> None:
    check_problem(call(app, f"/customers.{extension}"), 404, ".csv", ".json", ".jsonl", ".parquet")


@pytest.mark.parametrize(
    "query", ["colour=red", "id=x", "limit=-1", "offset=-1", "limit=x", "id__like=1", "sort=colour", "select=colour"]
)
def test_a_wrong_parameter_is_400(app: ASGIApp, query: str) -> None:
    check_problem(call(app, f"/customers.csv?{query}"), 400)


def test_a_parameter_that_names_no_column_lists_the_columns(app: ASGIApp) -> None:
    check_problem(call(app, "/customers.csv?colour=red"), 400, "colour", *make_customers().column_names)


@pytest.mark.parametrize("query", ["%ff=1", "name=%ff%fe", "&".join(["id=1"] * 501)])
def test_a_query_string_that_cannot_be_read_is_400(app: ASGIApp, query: str) -> None:
    check_problem(call(app, f"/customers.csv?{query}"), 400)


def test_a_very_long_query_string_is_414(app: ASGIApp) -> None:
    check_problem(call(app, f"/customers.csv?name={'x' * 10_240}"), 414, "8192", "MAX_QUERY_BYTES")


def test_an_empty_value_is_a_value(app: ASGIApp) -> None:
    assert call(app, "/customers.json?organisation-entity=").json == []
    assert call(app, "/customers.json?organisation-entity").json == []


def test_limit_0_is_a_valid_file_of_no_rows(app: ASGIApp) -> None:
    assert call(app, "/customers.json?limit=0").json == []
    assert call(app, "/customers.csv?limit=0").text.startswith("id,")
    assert pq.read_table(io.BytesIO(call(app, "/customers.parquet?limit=0").body)).num_rows == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("target", ["/customers.csv", "/", "/docs", "/exports/x"])
def test_other_methods_are_405(app: ASGIApp, method: str, target: str) -> None:
    answer = call(app, target, method=method)
    check_problem(answer, 405)
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}


def test_what_is_not_parquet_is_502(app: ASGIApp, aws: Aws) -> None:
    aws.s3.put_object(Bucket="data", Key="broken.parquet", Body=b"PAR1" + b"x" * 500 + b"PAR1")
    check_problem(call(app, "/broken.csv"), 502, "broken")


def test_a_page_of_data_that_is_damaged_is_a_problem_before_the_first_byte(
    app: ASGIApp, aws: Aws, printed: Callable[[], str]
) -> None:
    body = bytearray(aws.s3.get_object(Bucket="data", Key="customers.parquet")["Body"].read())
    body[4:2000] = bytes(1996)
    aws.s3.put_object(Bucket="data", Key="customers.parquet", Body=bytes(body))
    check_problem(call(app, "/customers.csv"), 502)
    output = printed()
    assert [event["outcome"] for event in read_events(output, "download")] == ["failed"]
    assert read_events(output, "request_failed") == []
    assert read_metrics(output)["DownloadsFailed"] == 1


def test_a_host_header_is_never_believed(app: ASGIApp) -> None:
    for target in ("/", "/customers", "/datasets.json", "/docs", "/customers.parquet"):
        answer = call(app, target, {"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in answer.text + str(answer.headers)


def test_one_event_and_one_set_of_metrics_for_each_download(app: ASGIApp, printed: Callable[[], str]) -> None:
    size = len(call(app, "/customers.csv?organisation-entity=org-1").body)
    output = printed()
    (event,) = read_events(output, "download")
    assert event["dataset"] == "customers"
    assert event["format"] == "csv"
    assert event["filter"] == "organisation-entity=org-1"
    assert (event["rows"], event["bytes"], event["outcome"]) == (100, size, "complete")
    assert event["elapsed_ms"] >= 0
    assert read_metrics(output) == {"Downloads": 1, "RowsSent": 100, "BytesSent": size, "DownloadsFailed": 0}


@pytest.mark.parametrize("column", ["a.b", "select", "x__gt", "limit", "_form", "état"])
def test_columns_of_odd_names_can_be_filtered(app: ASGIApp, aws: Aws, column: str) -> None:
    aws.put("odd.parquet", make_customers(5).select(["id"]).rename_columns([column]))
    assert call(app, f"/odd.json?{quote(column)}__eq=3").json == [{column: 3}]


def test_text_that_is_not_escaped_means_the_same_as_escaped(app: ASGIApp) -> None:
    escaped = call(app, "/customers.csv?name__contains=%C3%A9&limit=2")
    plain = call(app, "/customers.csv?name__contains=é&limit=2")
    assert escaped.body.count(b"\n") >= 3
    assert plain.body == escaped.body
    assert plain.headers["etag"] == escaped.headers["etag"]
    assert call(app, "/customers.csv", scope={"query_string": b"name=\xe9"}).status == 400
