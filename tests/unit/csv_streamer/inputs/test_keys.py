"""Whatever an entry, a server or a URL calls a file, it becomes one safe segment, and a key of its own."""

import asyncio
import unicodedata
from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.env import SettingsError
from csv_streamer.exceptions import EntryError
from csv_streamer.inputs.keys import UniqueKeys, check_name, known_name, make_key, sanitise, served_name
from csv_streamer.settings import Settings
from sample_files.hostile_headers import DISPOSITIONS

DAY = date(2026, 3, 7)
SUFFIX_MAP = Settings.from_environment({"BUCKET_NAME": "b"}).suffix_map
ANY_TEXT = st.text(st.characters(), max_size=400)
PARAMETER = st.builds(
    "{}{}{}={}{}".format,
    st.sampled_from(["filename", "FILENAME", "name", ""]),
    st.sampled_from(["", "*", "*0", "*1", "*0*", "*1*", "*01", "*x"]),
    st.sampled_from(["", " ", "*"]),
    st.sampled_from(["", "UTF-8''", "x''", "utf-16'de'", "''", "'"]),
    st.text('ab./\\%0Fé\udcff"; \x00', max_size=12),
)
DISPOSITION = st.one_of(ANY_TEXT, st.lists(PARAMETER, max_size=4).map(lambda all_: "; ".join(["attachment", *all_])))


def is_safe(name: str) -> bool:
    return (
        name not in {"", ".", ".."}
        and not set(name) & set("/\\\0")
        and name.isprintable()
        and name == name.strip(" ")
        and len(name.encode()) <= 255
    )


@settings(deadline=None)
@given(DISPOSITION, ANY_TEXT.map(lambda text: "http://host/" + quote(text, errors="replace")))
def test_served_name_is_always_one_safe_segment(disposition: str, url: str) -> None:
    assert is_safe(served_name(url, disposition))


@settings(deadline=None)
@given(ANY_TEXT)
def test_entry_name_is_one_safe_segment_or_refused(name: str) -> None:
    try:
        check_name(name)
    except EntryError:
        return
    assert name == "" or is_safe(name)


@pytest.mark.parametrize(
    "name", ["a/b.csv", "a\\b.csv", "../a.csv", "..", ".a.csv", "a.csv ", "a\nb.csv", "a\u202eb.csv", "a" * 251, "/"]
)
def test_entry_name_that_would_have_to_be_changed_is_refused(name: str) -> None:
    with pytest.raises(EntryError, match="cannot be a file's name"):
        check_name(name)


@settings(deadline=None)
@given(ANY_TEXT)
def test_sanitising_twice_changes_nothing_more(name: str) -> None:
    assert sanitise(sanitise(name)) == sanitise(name)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("report.csv", "report.csv"),
        ("a/b\\c.csv", "c.csv"),
        ("../../etc/passwd", "passwd"),
        ("..", ""),
        ("a/", ""),
        (" . hidden. ", "hidden"),
        ("a\x00b\r\nc\u2028\u202e\x7f.csv", "abc.csv"),
        ("données ٢٠٢٥ 年.csv", "données ٢٠٢٥ 年.csv"),
        ("a..b.csv", "a..b.csv"),
    ],
)
def test_names_are_made_safe(given_name: str, name: str) -> None:
    assert sanitise(given_name) == name


@pytest.mark.parametrize("letter", ["n", "é", "年", "\N{CUNEIFORM SIGN A}"])
def test_long_name_is_cut_between_characters_and_keeps_its_suffix(letter: str) -> None:
    name = sanitise(letter * 300 + ".csv")
    assert name.endswith(f"{letter}.csv")
    assert set(name) == set(f"{letter}.csv")
    assert 240 <= len(name.encode()) <= 255


def test_long_suffix_is_no_way_around_the_limit() -> None:
    assert is_safe(sanitise("a." + "年" * 300))
    assert is_safe(sanitise("x" * 300 + ".aaaaaaaaaaaaaa bbb"))


def test_name_of_the_entry_comes_first_then_the_map() -> None:
    url = "https://host/transactions.csv"
    assert known_name("mine.csv", url, SUFFIX_MAP) == "mine.csv"
    assert known_name(None, url, {"transactions": "t.csv"}) == "t.csv"
    assert known_name(None, "https://host/other.csv", SUFFIX_MAP) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/Rent_Contracts.csv", "rent_contracts.csv"),
        ("https://h/rent-contracts-2026.csv.gz", "rent_contracts.csv"),
        ("https://h/2026%20RENT%20CONTRACTS", "rent_contracts.csv"),
        ("https://h/x/units/", "units.csv"),
        ("https://h/all_buildings_v2.csv?name=projects", "buildings.csv"),
        # A word's letters within another word, or in another segment, the host or the query, are not the word.
        ("https://h/subunits.csv", None),
        ("https://h/communities.csv", None),
        ("https://units.example/data.csv", None),
        ("https://h/projects/data.csv", None),
        ("https://h/data.csv?f=units", None),
        ("https://h/data.csv#units", None),
        ("https://h/contracts_rent.csv", None),
        ("https://h/rent_2026_contracts.csv", None),
        ("https://h/", None),
    ],
)
def test_suffix_map_looks_for_whole_words_in_the_last_segment_if_told_to(url: str, name: str | None) -> None:
    assert known_name(None, url, SUFFIX_MAP, "words") == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/export?dataset=units", "units.csv"),
        ("https://h/transactions2024.csv", "transactions.csv"),
        ("https://h/x/TRANSACTIONS/latest", "transactions.csv"),
        ("https://units.example/data.csv", "units.csv"),
        ("https://h/data.csv#Projects", "projects.csv"),
        ("https://h/communities.csv?q=rent%5Fcontracts", "rent_contracts.csv"),
        ("https://h/a.csv?x=buildings&y=transactions", "transactions.csv"),  # the map's order, not the URL's
        ("https://units:projects@h/data.csv", None),  # neither user nor password is for a name
        ("https://h/rent-contracts.csv", None),
        ("https://h/", None),
    ],
)
def test_suffix_map_looks_anywhere_in_the_url(url: str, name: str | None) -> None:
    assert known_name(None, url, SUFFIX_MAP) == name


@pytest.mark.parametrize("word", ["", "_", "--"])
def test_map_entry_without_words_matches_nothing(word: str) -> None:
    assert known_name(None, "https://h/a.csv", {word: "x.csv"}, "words") is None


def test_map_entry_without_letters_matches_nothing() -> None:
    assert known_name(None, "https://h/a.csv", {"": "x.csv"}) is None


def test_map_cannot_name_a_folder() -> None:
    with pytest.raises(SettingsError, match=r"SUFFIX_MAP 'a': name .* cannot be a file's name"):
        Settings.from_environment({"BUCKET_NAME": "b", "SUFFIX_MAP": '{"a": "../b/c.csv"}'})


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="=?UTF-8?B?w6kgYi5jc3Y=?="', "é b.csv"),
        ('attachment; filename="=?iso-8859-1?Q?caf=E9=5F1.csv?="', "café_1.csv"),
        ('attachment; filename="=?UTF-8?Q?..=2F..=2Fx.csv?="', "x.csv"),
        ('attachment; filename="=?nonsense?Q?a?="', "=?nonsense?Q?a?="),
        ('attachment; filename="caf\udce9.csv"', "café.csv"),  # a Latin-1 byte as aiohttp hands it out
    ],
)
def test_name_of_the_server_is_decoded(header: str, name: str) -> None:
    assert served_name("https://h/a.csv", header) == name


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("plain", "plain_name.csv"),
        ("quoted", 'quoted name; "really".csv'),
        ("rfc5987", "données été ٢٠٢٥.csv"),
        ("latin1", "café.csv"),
        ("traversal", "passwd"),
        ("encoded-traversal", "passwd"),
        ("windows", "report.csv"),
        ("control", "badname.csv"),
        ("encoded-control", "badname.csv"),
        ("dots", "basename.csv"),
        ("empty", "basename.csv"),
        ("inline", "basename.csv"),
    ],
)
def test_disposition_gives_the_name(style: str, name: str) -> None:
    assert served_name("https://h/x/basename.csv?y=z.csv", DISPOSITIONS[style]) == name


def test_encoded_name_of_a_disposition_is_preferred() -> None:
    assert served_name("https://h/x", DISPOSITIONS["both"]) == "größe €.csv"


@pytest.mark.parametrize(
    "parameters",
    ["filename*=utf-8''a; filename*0=b", f"filename*{'9' * 5000}=b", "filename*0*=%ff; filename*0=a"],
)
def test_disposition_that_trips_the_library_is_no_more_than_no_name(parameters: str) -> None:
    assert is_safe(served_name("https://h/basename.csv", f"attachment; {parameters}"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h", "data.csv"),
        ("https://h/", "data.csv"),
        ("https://h/..", "data.csv"),
        ("https://h/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("https://h/%00", "data.csv"),
        ("https://h/a%20b.csv", "a b.csv"),
        ("https://h/%ff.csv", "\ufffd.csv"),
        ("https://h/a.csv/?b=c", "a.csv"),
    ],
)
def test_url_gives_the_name_in_the_end(url: str, name: str) -> None:
    assert served_name(url, None) == name


def test_key_has_the_date_below_the_prefix() -> None:
    assert make_key("/raw/x/", DAY, "a.csv") == "raw/x/2026/03/07/a.csv"


@pytest.mark.parametrize("prefix", ["", "/", "a//b", "a/../b", ".", "..", "a/.", "a\nb", "a\x00", "a\ud800", "x" * 800])
def test_prefix_that_makes_no_good_key_is_refused(prefix: str) -> None:
    with pytest.raises(EntryError, match="prefix"):
        make_key(prefix, DAY, "a.csv")


@settings(deadline=None)
@given(st.text(st.characters(), max_size=900), ANY_TEXT)
def test_prefix_that_is_good_for_one_name_is_good_for_all(prefix: str, name: str) -> None:
    try:
        make_key(prefix, DAY, "x")
    except EntryError:
        return
    key = make_key(prefix, DAY, served_name("http://host/", f'attachment; filename="{name}"'))
    assert len(key.encode()) <= 1024
    assert ".." not in key.split("/")


def test_second_file_of_a_name_is_numbered_before_its_suffix() -> None:
    claims = UniqueKeys([], [])
    assert [claims.take("p/a.csv") for _ in range(3)] == ["p/a.csv", "p/a-2.csv", "p/a-3.csv"]
    assert [claims.take("p/a") for _ in range(2)] == ["p/a", "p/a-2"]
    assert claims.take("q/a.csv") == "q/a.csv"


def test_number_that_is_really_there_is_stepped_over() -> None:
    claims = UniqueKeys(["p/a-2.csv"], [])
    assert [claims.take("p/a.csv") for _ in range(3)] == ["p/a.csv", "p/a-3.csv", "p/a-4.csv"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a.csv", "a-2.csv", "a-2-2.csv", "b", "n" * 300 + ".csv"]), max_size=12))
def test_every_file_of_a_run_has_a_safe_key_of_its_own(names: list[str]) -> None:
    claims = UniqueKeys([], [])
    keys = [claims.take(make_key("raw", DAY, sanitise(name))) for name in names]
    assert len(set(keys)) == len(keys)
    assert all(is_safe(key.removeprefix("raw/2026/03/07/")) for key in keys)


def test_names_that_servers_give_are_numbered_in_the_order_of_the_entries() -> None:
    async def race() -> list[str]:
        claims = UniqueKeys(["p/a.csv"], [3, 0, 1])
        late = asyncio.create_task(claims.take_in_turn(3, "p/a.csv"))
        middle = asyncio.create_task(claims.take_in_turn(1, "p/a.csv"))
        await asyncio.sleep(0)
        assert not late.done()
        assert not middle.done()
        return [await claims.take_in_turn(0, "p/a.csv"), await middle, await late]

    assert asyncio.run(race()) == ["p/a-2.csv", "p/a-3.csv", "p/a-4.csv"]


def test_entry_that_failed_holds_nobody_up() -> None:
    async def race() -> str:
        claims = UniqueKeys([], [0, 5])
        waiting = asyncio.create_task(claims.take_in_turn(5, "p/a.csv"))
        await asyncio.sleep(0)
        claims.release(0)
        claims.release(7)  # one whose name was known from the start
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(race()) == "p/a.csv"


def test_composed_and_decomposed_letters_are_left_as_they_are() -> None:
    decomposed = unicodedata.normalize("NFD", "é.csv")
    assert sanitise(decomposed) == decomposed
