"""Make the pictures of the documentation from the real page: `make pictures`.

They show the workflows in `demo`, as a controller runs them, in light and in dark.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from page.browser import Browser, make_driver
from page.site import DEMO, Site

SCALE = 1.5
RUNS = 20  # that a row of the list has bars for
SHOTS = {
    "list": "#/",
    "workflow": "#/w/daily-sales?step=check-rows",
    "timeline": "#/w/daily-sales?tab=Timeline&run=1",
}


def main(folder: Path) -> None:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        sys.exit("no chromium with its chromedriver; apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory() as root:
        site = Site(Path(root))
        for spec in DEMO.glob("*.yaml"):
            shutil.copy(spec, site.specs)
        driver = make_driver(chromium, chromedriver, str(Path(root) / "profile"))
        with site.running():
            browser = Browser(driver, site.url)
            browser.forget()
            browser.log_in(site.session("operate"))
            play(site)
            for name, place in SHOTS.items():
                for scheme in ("light", "dark"):
                    browser.scheme(scheme)
                    browser.sized(1280, 640, SCALE)
                    browser.open(place)
                    browser.see("#state", "as of" if name == "timeline" else "live")
                    if name == "timeline":
                        browser.see(".part.failed")
                    if name == "workflow":
                        site.treadle("retry", "daily-sales", "check-rows", "--downstream")
                        browser.see(".node.p-Running[data-step=clean-eu]")
                        browser.see(".side .fact", "because of")
                        browser.see(".node.p-Succeeded[data-step=clean-us]")
                    (folder / f"page-{name}-{scheme}.png").write_bytes(
                        driver.get_screenshot_as_png()
                    )
        driver.quit()


def play(site: Site) -> None:
    """Until there is something to see: runs that are over, failures, and what goes on."""
    site.until(lambda: site.phase("warehouse-export") == "Failed", seconds=30)
    site.treadle("retry", "warehouse-export")
    for _ in range(3):
        site.until(lambda: site.phase("daily-sales") == "Succeeded", seconds=60)
        site.treadle("retry", "daily-sales", "check-rows", "--downstream")
        site.until(lambda: site.phase("daily-sales") == "Running")
    site.until(
        lambda: site.shape("sensor-poll")["status"]["firings"].get("Started", 0) >= RUNS, 120
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
