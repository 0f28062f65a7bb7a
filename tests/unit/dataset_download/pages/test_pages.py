import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp

from dataset_download.http.application import create_app
from dataset_download.pages.form_fields import MARKER, read_form
from dataset_download.pages.markup import tag
from dataset_download.pages.page_frame import show_size
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import Aws, MakeService, make_customers

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Outline(HTMLParser):
    """Collects elements, their attributes and all text, and checks that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, name: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in {"input", "link", "meta"}:
            self._open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self._open.pop() == name

    def handle_data(self, text: str) -> None:
        self.texts.append(text)

    def find(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


@pytest.mark.parametrize("target", ["/", "/customers", "/docs", "/customers?id=x", "/nothing", "/a%22%3E%3Cscript%3E"])
def test_pages_are_html_without_scripts_or_foreign_parts(app: ASGIApp, target: str) -> None:
    answer = call(app, target, HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    page = Outline(answer.text)
    assert page.find("script") == []
    for name, attributes in page.elements:
        assert not any(attribute.startswith("on") or attribute == "style" for attribute in attributes), name
        for attribute in ("href", "src", "action"):
            value = attributes.get(attribute) or "./"
            assert re.match(r"\./|#|data:,", value), value


@pytest.mark.parametrize("target", ["/", "/customers", "/docs"])
def test_pages_can_be_used_by_anyone(app: ASGIApp, target: str) -> None:
    page = Outline(call(app, target).text)
    assert page.find("html")[0]["lang"] == "en"
    assert "width=device-width" in str(page.find("meta"))
    assert len(page.find("h1")) == len(page.find("main")) == 1
    labelled = {label.get("for") for label in page.find("label")}
    for control in [*page.find("input"), *page.find("select")]:
        assert control.get("type") == "checkbox" or control["id"] in labelled
    identities = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    assert len(page.find("table")) == len(page.find("caption"))
    assert all(head.get("scope") in {"col", "row"} for head in page.find("th"))


EVIL = "\"><script>alert(1)</script>&'`"


def test_what_data_say_stays_text(app: ASGIApp, aws: Aws) -> None:
    table = pa.table({EVIL: [EVIL] * 3, "x": [[EVIL]] * 3}).replace_schema_metadata({"title": EVIL})
    aws.put("evil.parquet", table)
    for target in ("/", "/evil", f"/evil?{urlencode({EVIL: EVIL})}", f"/evil?{urlencode({'a' + EVIL: EVIL})}"):
        text = call(app, target, HTML).text
        assert "<script" not in text
        assert "alert(1)" in "".join(Outline(text).texts)


def test_a_policy_covers_the_style_and_nothing_else(app: ASGIApp) -> None:
    answer = call(app, "/")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_the_catalogue_tells_of_each_dataset(app: ASGIApp, aws: Aws) -> None:
    aws.s3.put_object(Bucket="data", Key="broken.parquet", Body=b"x" * 100)
    aws.s3.put_object(Bucket="data", Key="not a name.parquet", Body=b"x" * 100)
    aws.put("parts/a.parquet", make_customers(10))
    aws.put("parts/b.parquet", make_customers(10))
    entries = call(app, "/datasets.json").json["datasets"]
    assert [entry["name"] for entry in entries] == ["broken", "customers", "parts"]
    broken, customers, parts = entries
    assert broken["rows"] is None
    assert broken["error"]
    assert (customers["title"], customers["rows"], customers["files"]) == ("Customers", 3000, 1)
    assert {"name": "id", "type": "int64"} in customers["columns"]
    assert (parts["rows"], parts["files"]) == (20, 2)
    page = call(app, "/").text
    for words in ("Customers", "3,000", "/customers.parquet", "Not readable"):
        assert words in page


def test_a_long_catalogue_has_pages(app: ASGIApp, aws: Aws) -> None:
    small = make_customers(1)
    for number in range(101):
        aws.put(f"set-{number:03d}.parquet", small)
    first = call(app, "/datasets.json").json
    assert len(first["datasets"]) == 100
    target = first["next"].removeprefix("https://data.example.org")
    second = call(app, target).json
    assert [entry["name"] for entry in second["datasets"]] == ["set-099", "set-100"]
    assert "next" not in second
    assert "./?after=set-098" in call(app, "/").text
    assert call(app, "/?after=set-098").status == 200


def test_an_empty_bucket_has_a_page(app: ASGIApp, aws: Aws) -> None:
    aws.s3.delete_object(Bucket="data", Key="customers.parquet")
    assert "no datasets" in call(app, "/").text
    assert call(app, "/datasets.json").json == {"datasets": []}


def test_a_dataset_page_has_schema_statistics_and_rows(app: ASGIApp) -> None:
    text = call(app, "/customers").text
    for words in ("organisation-entity", "2999", "Customer 0", "3,000", "2020-01-01"):
        assert words in text, words


def test_the_page_gives_the_download_and_the_same_curl(app: ASGIApp) -> None:
    page = Outline(call(app, "/customers?organisation-entity=a%27b%26c&limit=5").text)
    query = "organisation-entity=a%27b%26c&limit=5"
    assert f"./customers.csv?{query}" in [link.get("href") for link in page.find("a")]
    assert f"curl -fLOJ --compressed 'https://data.example.org/customers.csv?{query}'" in page.texts


def test_where_no_address_is_known_none_is_invented(make: MakeService) -> None:
    app = create_app(make(public_base_url=""))
    text = call(app, "/customers", {"Host": "evil.example"}).text
    assert "$BASE_URL/customers.csv" in text
    assert call(app, "/datasets.json", {"Host": "evil.example"}).json["datasets"][0]["page"] == "./customers"


def submit(app: ASGIApp, button: str, **fields: str | list[str]) -> str:
    answer = call(app, f"/customers?{urlencode({MARKER: button, **fields}, doseq=True)}")
    assert answer.status == 303
    location = answer.headers["location"]
    assert location.startswith("./")
    return location.removeprefix(".")


def test_the_form_leads_to_a_query(app: ASGIApp) -> None:
    fields: dict[str, str | list[str]] = {
        "column": ["id", ""],
        "operator": ["gte", "eq"],
        "value": ["5", ""],
        "sort": "id",
        "limit": "3",
    }
    assert submit(app, "csv", **fields) == "/customers.csv?id__gte=5&sort=id&limit=3"
    assert submit(app, "", **fields, descending="on") == "/customers?id__gte=5&sort=-id&limit=3"
    rows = call(app, submit(app, "json", **fields)).json
    assert [row["id"] for row in rows] == [5, 6, 7]


def test_an_empty_value_of_a_chosen_column_is_a_value(app: ASGIApp) -> None:
    assert submit(app, "csv", column="name", operator="eq", value="") == "/customers.csv?name="


def test_missing_values_can_be_chosen(app: ASGIApp) -> None:
    location = submit(app, "json", column="note", operator="null", value="")
    assert location == "/customers.json?note__isnull=true"
    assert {row["note"] for row in call(app, location).json} == {None}


def test_a_column_that_is_called_like_a_word_can_be_chosen(app: ASGIApp) -> None:
    location = submit(app, "json", column="limit", operator="eq", value="2")
    assert {row["limit"] for row in call(app, location).json} == {2}


def test_a_wrong_value_is_shown_on_the_page_and_not_downloaded(app: ASGIApp) -> None:
    query = urlencode({MARKER: "csv", "column": "id", "operator": "eq", "value": "many"})
    answer = call(app, f"/customers?{query}")
    assert answer.status == 400
    assert "many" in answer.text


def test_an_unknown_button_is_404(app: ASGIApp) -> None:
    assert call(app, f"/customers?{MARKER}=exe").status == 404


QUERIES = [
    "organisation-entity=org-1",
    "organisation-entity=org-1&organisation-entity=org-2",
    "id__gte=5&id__lt=9",
    "note__isnull=true&name__contains=%3Cb%3E",
    "limit__eq=2",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_form_holds_the_query_and_gives_it_back(app: ASGIApp, query: str) -> None:
    page = Outline(call(app, f"/customers?{query}").text)
    fields: list[tuple[str, str]] = [(MARKER, "json")]
    for name, attributes in page.elements:
        if name == "select" and attributes["name"] in {"column", "operator"}:
            fields.append((str(attributes["name"]), ""))
        elif name == "option" and "selected" in attributes and fields[-1][0] in {"column", "operator"}:
            fields[-1] = (fields[-1][0], str(attributes["value"]))
        elif name == "input" and attributes["name"] == "value":
            fields.append(("value", str(attributes["value"])))
        elif name == "input":
            break
    target = call(app, f"/customers?{urlencode(fields)}").headers["location"]
    assert call(app, target).body == call(app, f"/customers.json?{query}").body


def test_problems_are_pages_for_browsers_only(app: ASGIApp) -> None:
    assert call(app, "/nothing", HTML).headers["content-type"].startswith("text/html")
    assert call(app, "/nothing").headers["content-type"] == "application/problem+json"
    assert call(app, "/nothing.csv", HTML).headers["content-type"] == "application/problem+json"


def test_health_touches_nothing(app: ASGIApp, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset_download.datasets.dataset.open_dataset", None)
    assert call(app, "/healthz").json == {"status": "ok"}


@given(st.text(), st.text())
def test_any_text_is_escaped(child: str, value: str) -> None:
    class Reader(HTMLParser):
        seen: tuple[str | None, str] = ("", "")

        def handle_starttag(self, name: str, attributes: Sequence[tuple[str, str | None]]) -> None:
            self.seen = (dict(attributes)["title"], "")

        def handle_data(self, text: str) -> None:
            self.seen = (self.seen[0], self.seen[1] + text)

    reader = Reader()
    reader.feed(tag("p", child, title=value))
    reader.close()
    assert reader.seen == (value, child)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_any_form_is_read(pairs: list[tuple[str, str]]) -> None:
    button, query = read_form([*pairs, (MARKER, "csv")])
    assert isinstance(button, str)
    assert len(query) <= len(pairs) + 3


@pytest.mark.parametrize(
    ("size", "expected"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (123_456, "123 kB"), (5e12, "5.0 TB")]
)
def test_sizes_are_readable(size: float, expected: str) -> None:
    assert show_size(size) == expected


def test_long_texts_and_unusual_line_ends_are_shown(app: ASGIApp, aws: Aws) -> None:
    texts = ['x,"' * 100_000, "one\u2028two\u0085three"]
    aws.put("texts.parquet", pa.table({"id": [1, 2], "text": texts}))
    for target in ("/texts", "/texts?id__gte=1"):
        page = call(app, target)
        assert page.status == 200
        assert "one\u2028two\u0085three" in page.text
        assert "x,&quot;x,&quot;" in page.text


def test_columns_with_commas_can_be_ticked(app: ASGIApp, aws: Aws) -> None:
    aws.put("commas.parquet", pa.table({"a,b": [1], "c": [2], 'd"': [3], "e": [4]}))
    chosen = "".join(f"&show={quote(name)}" for name in ("a,b", "c", 'd"'))
    location = call(app, f"/commas?_form=json{chosen}").headers["location"]
    assert call(app, location).json == [{"a,b": 1, "c": 2, 'd"': 3}]


def test_one_unreadable_object_does_not_hide_the_others(app: ASGIApp, aws: Aws) -> None:
    aws.s3.put_object(Bucket="data", Key="archived.parquet", Body=b"PAR1", StorageClass="GLACIER")
    for target in ("/", "/datasets.json"):
        answer = call(app, target)
        assert answer.status == 200
        assert "archived" in answer.text
        assert "customers" in answer.text
