"""The pages in a real browser: a filter is typed, the download happens, the file is right."""

import csv
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import url_to_be
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.integration.dataset_download.servers import Server, make_customers

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def find_browser() -> tuple[str, str] | None:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (found, driver) if found and driver else None


PAGE_SECONDS = 30
pytestmark = pytest.mark.skipif(find_browser() is None, reason="chromium or its driver is not installed")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Give a browser without scripts, which downloads into the test's folder."""
    paths = find_browser()
    assert paths
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,1800"):
        options.add_argument(argument)
    preferences = {
        "download.default_directory": str(tmp_path),
        "profile.managed_default_content_settings.javascript": 2,
    }
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(paths[1]))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()


def wait_for_file(folder: Path) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := [path for path in folder.iterdir() if path.suffix in {".csv", ".json", ".parquet"}]:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("nothing was downloaded")


def fill_in(browser: webdriver.Chrome, organisation: str) -> None:
    Select(browser.find_element(By.ID, "column-1")).select_by_visible_text("organisation-entity")
    Select(browser.find_element(By.ID, "operator-1")).select_by_visible_text("is")
    browser.find_element(By.ID, "value-1").send_keys(organisation)


def read_log(browser: webdriver.Chrome) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return entries


def press(browser: webdriver.Chrome, text: str) -> None:
    browser.find_element(By.XPATH, f"//button[normalize-space()='{text}']").click()


def test_a_filter_is_typed_and_the_file_is_right(browser: webdriver.Chrome, server: Server, tmp_path: Path) -> None:
    browser.get(server.url)
    browser.find_element(By.LINK_TEXT, "Customers").click()
    fill_in(browser, "org-7")
    press(browser, "Download CSV")
    file = wait_for_file(tmp_path)
    assert file.name == "customers_organisation-entity-org-7.csv"
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["name"] for row in rows] == make_customers().slice(700, 100)["name"].to_pylist()


def test_the_page_shows_what_the_filter_finds(browser: webdriver.Chrome, server: Server) -> None:
    browser.get(f"{server.url}/customers")
    fill_in(browser, "org-7")
    press(browser, "Show the rows")
    # A click does not wait for the page that it leads to.
    WebDriverWait(browser, PAGE_SECONDS).until(url_to_be(f"{server.url}/customers?organisation-entity=org-7"))
    assert browser.find_element(By.ID, "curl").text == (
        f"curl -fLOJ --compressed '{server.url}/customers.csv?organisation-entity=org-7'"
    )
    assert "Customer 700 <script>alert(700)</script>" in browser.find_element(By.TAG_NAME, "main").text
    assert browser.find_element(By.ID, "value-1").get_attribute("value") == "org-7"
    if folder := os.environ.get("SCREENSHOTS"):
        browser.save_screenshot(f"{folder}/dataset.png")


def test_what_is_wrong_is_shown_on_the_page(browser: webdriver.Chrome, server: Server) -> None:
    browser.get(f"{server.url}/transactions?id=many")
    assert "id=many" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text


@pytest.mark.parametrize("path", ["/", "/customers", "/transactions", "/docs", "/nothing"])
def test_pages_fit_a_phone_and_break_no_rule_of_their_policy(
    browser: webdriver.Chrome, server: Server, path: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.get(f"{server.url}{path}")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    assert [entry for entry in read_log(browser) if "404" not in entry["message"]] == []
    for control in browser.find_elements(By.CSS_SELECTOR, "input, select"):
        assert control.accessible_name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader(browser: webdriver.Chrome, server: Server, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(f"{server.url}/customers")
    body = browser.find_element(By.TAG_NAME, "body")
    text, page = (
        sum(map(int, re.findall(r"\d+", body.value_of_css_property(name))[:3]))
        for name in ("color", "background-color")
    )
    assert (text > page) == (scheme == "dark")
