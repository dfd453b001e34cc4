"""A real browser, and a site: a folder of workflows, a controller, and the server of its page."""

import shutil
from collections.abc import Iterator

import pytest
from page.browser import Browser, make_driver
from page.site import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
CHROMEDRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests: each has workflows of its own."""
    made = Site(tmp_path_factory.mktemp("site"))
    with made.running():
        yield made


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("no chromium with its chromedriver; apt-get install chromium chromium-driver")
    made = make_driver(CHROMIUM, CHROMEDRIVER, str(tmp_path_factory.mktemp("profile")))
    yield made
    made.quit()


@pytest.fixture
def fresh(driver: object, site: Site) -> Browser:
    """A browser that nobody has logged in with."""
    browser = Browser(driver, site.url)
    browser.forget()
    return browser


@pytest.fixture
def browser(fresh: Browser, site: Site) -> Browser:
    """A browser that may operate."""
    fresh.log_in(site.session("operate"))
    return fresh
