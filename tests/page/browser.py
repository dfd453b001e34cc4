"""What a person does with the page: open, read, click, type. All waits are for a condition."""

import json
import time
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webelement import WebElement

DEADLINE_SECONDS = 20.0  # for what takes some tenths of a second on an idle machine
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)


def make_driver(program: str, chromedriver: str, profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, Service(chromedriver))


class Browser:
    """One window at the page of `url`."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver: webdriver.Chrome = driver
        self.url = url

    # ------------------------------------ going somewhere

    def forget(self) -> None:
        """As it is before the first visit: 1280 by 800, light, without a session."""
        self.sized(1280, 800)
        self.scheme("light")
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/healthz")
        self.driver.execute_script("localStorage.clear()")
        self.driver.get_log("browser")

    def log_in(self, session: dict[str, str]) -> None:
        keep = "localStorage.setItem('treadle-session', arguments[0])"
        self.driver.execute_script(keep, json.dumps(session))

    def open(self, place: str) -> None:
        """Load the page anew, at `#/…` or at the code of a link."""
        self.driver.get("about:blank")
        self.driver.get(place if "://" in place else f"{self.url}/{place}")

    def sized(self, width: int, height: int, scale: float = 1) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def scheme(self, name: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": name}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    # ------------------------------------ reading

    def js(self, script: str, *words: Any) -> Any:
        return self.driver.execute_script(f"return {script.strip()}", *words)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """What `holds` gives as soon as it is true."""
        enough = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                if found := holds():
                    return found
            except StaleElementReferenceException:
                pass  # it was drawn anew in between
            if time.monotonic() > enough:
                body = self.js("document.body.innerText")
                raise AssertionError(f"never seen: {what}; the page shows:\n{body}")
            time.sleep(0.02)

    def find(self, css: str, text: str = "") -> WebElement | None:
        """The first visible element like this that shows the text."""
        script = """
            [...document.querySelectorAll(arguments[0])].find((one) =>
              one.textContent.includes(arguments[1]) && one.checkVisibility())
        """
        found: WebElement | None = self.js(script, css, text)
        return found

    def see(self, css: str, text: str = "") -> WebElement:
        """Wait for the first visible element like this that shows the text."""
        found: WebElement = self.until(lambda: self.find(css, text), f"{css} {text}")
        return found

    def see_no(self, css: str, text: str = "") -> None:
        self.until(lambda: self.find(css, text) is None, f"no {css} {text}")

    def texts(self, css: str) -> list[str]:
        script = "[...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        found: list[str] = self.js(script, css)
        return found

    @property
    def hash(self) -> str:
        return str(self.js("location.hash"))

    def complaints(self) -> list[str]:
        """What the console has of errors, the policy of the page included."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]

    # ------------------------------------ acting

    def click(self, css: str, text: str = "") -> None:
        self.until(lambda: self._clicked(css, text), f"{css} {text}, to be clicked")

    def _clicked(self, css: str, text: str) -> bool:
        element = self.find(css, text)
        if element is None or not element.is_enabled():
            return False
        element.click()
        return True

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def focused(self) -> str:
        """The text or the label of the element that has the focus."""
        script = "document.activeElement.ariaLabel || document.activeElement.innerText"
        return str(self.js(script))
