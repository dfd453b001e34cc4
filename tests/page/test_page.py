"""The page in a real browser, against a real server and a real controller."""

import json
import time
from pathlib import Path

import pytest
from cli.place import HELD
from page.browser import Browser
from page.site import Site
from selenium.webdriver.common.keys import Keys

FAINT = Path(__file__).with_name("faint.js").read_text().partition("\n")[2]

# ---------------------------------------- logging in


def test_a_link_logs_in_once_and_its_code_leaves_the_url(fresh: Browser, site: Site) -> None:
    link = site.link()
    fresh.open(link)
    fresh.see("h1.unseen, .tools")
    assert "#/" in fresh.driver.current_url
    assert link.partition("#")[2] not in fresh.driver.current_url
    assert json.loads(fresh.js("localStorage['treadle-session']"))["role"] == "operate"
    fresh.js("localStorage.clear()")
    fresh.open(link)
    fresh.see(".why", "used already")


def test_a_stale_token_leads_to_the_login_and_a_pasted_link_out_of_it(
    fresh: Browser, site: Site
) -> None:
    fresh.log_in({"token": "of last year", "role": "operate"})
    fresh.open("#/")
    fresh.see("pre", "treadle serve --link")
    fresh.see("#token").send_keys(site.link() + Keys.ENTER)
    fresh.see("#top nav a", "Preview")


def test_a_token_of_a_file_works_and_a_wrong_one_is_told(fresh: Browser, site: Site) -> None:
    fresh.open("#/pools")
    fresh.see("#token").send_keys("nonsense" + Keys.ENTER)
    fresh.see(".why", "not one of this server")
    fresh.see("#token").send_keys((site.state / "web" / "view").read_text() + Keys.ENTER)
    fresh.see("h1", "Pools")
    fresh.see("#state", "view only")


def test_who_may_only_view_sees_no_buttons(fresh: Browser, site: Site) -> None:
    site.write("looked-at", {"name": "stay", "run": HELD})
    fresh.log_in(site.session("view"))
    fresh.open("#/w/looked-at")
    fresh.see("[data-step=stay]")
    assert fresh.driver.find_elements("css selector", "[data-act]") == []


# ---------------------------------------- what happens is seen


def test_an_event_reaches_its_pixel(browser: Browser, site: Site) -> None:
    gate = site.specs / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.01; done"
    site.write(
        "live",
        {"name": "first", "run": wait},
        {"name": "then", "run": HELD, "dependsOn": ["first"]},
    )
    browser.until(lambda: site.phase("live") == "Running", "it runs")
    browser.open("#/w/live")
    browser.see(".node.p-Running[data-step=first]")
    browser.see(".node.p-Pending[data-step=then]")
    browser.see("#state", "live")
    gate.touch()
    browser.see(".node.p-Succeeded[data-step=first]")
    browser.see(".node.p-Running[data-step=then]")


def test_the_list_is_live(browser: Browser, site: Site) -> None:
    browser.open("#/?q=newcomer")
    browser.see("p.hint", "Nothing matches")
    path = site.write("newcomer", {"name": "stay", "run": HELD}, labels={"team": "x"})
    browser.see("tr.p-Running a.to", "newcomer")
    browser.see("tr .pair", "team=x")
    path.unlink()
    browser.see("p.hint", "Nothing matches")


def test_a_spec_that_was_never_valid_says_why(browser: Browser, site: Site) -> None:
    path = site.write("wrong", {"name": "one", "run": "true", "dependsOn": ["two"]})
    browser.open("#/?q=wrong")
    browser.see("tr.p-Invalid .message", "no step is named")
    browser.click("a.to", "wrong")
    browser.see(".faults li", "no step is named")
    path.write_text(path.read_text().replace("two", "").replace('[""]', "[]"))
    browser.see(".node.p-Succeeded[data-step=one]")


def test_a_list_is_shown_as_it_was(browser: Browser, site: Site) -> None:
    browser.open("#/")
    browser.see(".tools")
    before = str(site.folded().seq)
    site.write("younger", {"name": "one", "run": "true"})
    browser.see("a.to", "younger")
    browser.see("input.at").send_keys(before + Keys.ENTER)
    browser.see_no("a.to", "younger")
    browser.see("#state", "as of")


def test_what_has_happened_since_the_moment_that_is_shown_is_not_told_again(
    browser: Browser, site: Site
) -> None:
    browser.open("#/")
    browser.see("#state", "live")
    watch = """(() => {
      const real = window.fetch;
      window.asked = [];
      window.fetch = (url, how) => (window.asked.push(url), real(url, how));
    })()"""
    browser.js(watch)
    now = site.folded().seq
    browser.js("location.hash = '#/?at=1'")
    find = "window.asked.find((one) => one.includes('events'))"
    url = browser.until(lambda: browser.js(find), "it follows")
    assert int(url.rpartition(".")[2]) >= now


def test_ages_are_those_of_the_moment_that_is_shown(browser: Browser, site: Site) -> None:
    site.write("aged", {"name": "stay", "run": HELD})
    site.reaches("aged", "Running")
    browser.open(f"#/?q=aged&at={site.folded().seq}")
    browser.see("tr.p-Running a.to", "aged")
    time_of = "document.querySelector('tbody .time').innerText"
    then = browser.js(time_of)
    browser.until(lambda: browser.js("performance.now() > 2500"), "the clock has gone on")
    assert browser.js(time_of) == then
    browser.see("input.at").send_keys(Keys.CONTROL + "a", Keys.BACKSPACE, Keys.ENTER)
    browser.see("#state", "live")
    browser.until(lambda: browser.js(time_of) != then, "it is later now")


def test_the_critical_path_is_that_of_now(browser: Browser, site: Site) -> None:
    gate = site.specs / "path"
    site.write(
        "paths",
        {"name": "one", "run": f"until [ -e {gate} ]; do sleep 0.01; done"},
        {"name": "two", "run": "true", "dependsOn": ["one"]},
    )
    browser.open("#/w/paths")
    browser.see(".node.p-Running[data-step=one]")
    browser.see_no(".legend", "critical path")
    gate.touch()
    browser.see(".legend", "critical path")
    assert len(browser.driver.find_elements("css selector", ".edge.critical")) == 1
    browser.press("2")
    browser.see(".legend", "on the critical path")


def test_a_failed_run_says_what_failed_and_a_step_why(browser: Browser, site: Site) -> None:
    site.write(
        "failing",
        {"name": "bad", "run": "echo first; echo the reason; exit 3"},
        {"name": "next", "run": "true", "dependsOn": ["bad"]},
    )
    site.reaches("failing", "Failed")
    browser.open("#/w/failing?step=next")
    browser.see(".failures li", "exit code 3: the reason")
    browser.see(".causes pre", "first")
    browser.click(".causes button.to", "bad")
    browser.see(".side h2", "bad")
    browser.see(".side pre", "the reason")
    site.treadle("retry", "failing", "bad")
    browser.see(".side .fact", "because of retry requested by")


def test_a_hidden_tab_pauses_and_then_shows_what_has_happened(browser: Browser, site: Site) -> None:
    gate = site.specs / "unseen"
    site.write("hidden", {"name": "wait", "run": f"until [ -e {gate} ]; do sleep 0.01; done"})
    browser.open("#/w/hidden")
    browser.see(".node.p-Running[data-step=wait]")
    hide = """(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    })()"""
    browser.js(hide)
    browser.see("#state", "paused")
    gate.touch()
    site.reaches("hidden", "Succeeded")
    assert browser.find(".node.p-Running[data-step=wait]") is not None
    browser.js("delete document.hidden")
    browser.js("document.dispatchEvent(new Event('visibilitychange'))")
    browser.see(".node.p-Succeeded[data-step=wait]")
    browser.see("#state", "live")


def test_an_edit_that_is_not_valid_is_told(browser: Browser, site: Site) -> None:
    path = site.write("edited", {"name": "one", "run": "true"})
    site.reaches("edited", "Succeeded")
    browser.open("#/w/edited")
    browser.see(".node.p-Succeeded[data-step=one]")
    path.write_text(path.read_text().replace('"run"', '"rnu"'))
    browser.see(".banner", "generation 1 stays in force")
    browser.see(".banner li", "rnu")
    path.unlink()


def test_a_log_is_followed_searched_and_shown_in_colours(browser: Browser, site: Site) -> None:
    gate = site.specs / "more"
    script = (
        "printf '\\033[31mred\\033[0m \\033[1mbold\\033[0m\\n'; "
        f"until [ -e {gate} ]; do sleep 0.01; done; "
        "seq -f 'line %.0f' 1 40000; echo the end; "
    )
    site.write("talk", {"name": "say", "run": script + HELD})
    browser.open("#/w/talk/log?step=say")
    assert browser.see(".line .a31").text == "red"
    assert browser.see(".line .bold").text == "bold"
    browser.see("button[aria-pressed=true]", "Follow")
    gate.touch()
    browser.see(".line", "the end")
    assert len(browser.driver.find_elements("css selector", ".line")) < 40_000  # a window of it
    browser.click("button", "Start")
    browser.see(".line", "line 1")
    browser.press("/")
    browser.driver.switch_to.active_element.send_keys("line 31999" + Keys.ENTER)
    browser.click(".results button.to", "line 31999")
    assert browser.see(".line.found").text == "line 31999"


def test_no_other_attempt_is_shown_than_the_one_in_the_address(
    browser: Browser, site: Site
) -> None:
    site.write("short", {"name": "say", "run": "echo once"})
    site.reaches("short", "Succeeded")
    browser.open("#/w/short/log?step=say&attempt=1")
    browser.see(".line", "once")
    browser.open("#/w/short/log?step=say&attempt=7")
    browser.see("p", 'short/say has no attempt "7"; it has only 1')
    browser.see_no(".line", "once")


def test_the_clock_of_the_browser_may_be_wrong(browser: Browser, site: Site) -> None:
    site.write("timed", {"name": "stay", "run": HELD})
    site.reaches("timed", "Running")
    script = "const real = Date.now; Date.now = () => real() + 7200000"
    late = {"source": script}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", late)
    try:
        browser.open("#/w/timed")
        assert "h" not in browser.see(".facts [data-since]").text
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@pytest.mark.parametrize("code", [0, 503])
def test_a_question_that_failed_once_is_asked_again_and_the_trouble_told_no_longer(
    browser: Browser, site: Site, code: int
) -> None:
    path = site.write("once", {"name": "stay", "run": HELD})
    browser.open("#/w/once")
    browser.see(".node.p-Running[data-step=stay]")
    browser.see("#state", "live")
    fail_once = """(([code]) => {
      const real = window.fetch;
      window.fetch = async () => {
        window.fetch = real;
        if (!code) throw new TypeError();
        return new Response(JSON.stringify({ code }), { status: code });
      };
    })(arguments)"""
    browser.js(fail_once, code)
    site.treadle("suspend", "once")
    browser.see(".banner.bad")
    browser.see(".verdict", "suspend")
    browser.see_no(".banner.bad")
    path.unlink()


def test_a_stream_of_another_log_shows_what_is_so_now(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As after a state folder was put back from a copy: the record it had is not there."""
    old, new = (Site(tmp_path_factory.mktemp(name)) for name in ("old", "new"))
    for place, name in ((old, "before"), (new, "afterwards")):
        place.spec(name, only="true")
        place.treadle("up", "--once")
    with old.serving():
        address = old.url.removeprefix("http://")
        shown = Browser(browser.driver, old.url)
        shown.forget()
        shown.log_in(old.session("view"))
        shown.open("#/")
        shown.see("a.to", "before")
        shown.js("window.kept = true")
    shown.see(".banner", "No answer from 127.0.0.1")
    shown.see(".banner code", "treadle serve")
    (old.state / "web").rename(new.state / "web")
    with new.serving(listen=address):
        shown.see("a.to", "afterwards")
        shown.see_no("a.to", "before")
        assert shown.js("window.kept") is True


# ---------------------------------------- buttons


def test_cancel_and_retry_by_button(browser: Browser, site: Site) -> None:
    site.write("job", {"name": "stay", "run": HELD})
    browser.open("#/w/job")
    browser.click("[data-act=cancel]", "Cancel")
    browser.see("dialog pre", "treadle cancel job")
    browser.see("dialog p", "would stop stay (1 running)")
    browser.click("dialog button.main", "Cancel")
    browser.see(".tag", "Cancelled")
    site.reaches("job", "Cancelled")
    browser.click("[data-act=retry]", "Retry")
    browser.see("dialog pre", "treadle retry job")
    browser.click("dialog button.main", "Retry")
    browser.see(".node.p-Running[data-step=stay]")
    browser.see(".fact", "run 2")


def test_a_button_about_a_run_that_is_over_is_refused_in_words(
    browser: Browser, site: Site
) -> None:
    path = site.write("moved", {"name": "one", "run": "exit 1"})
    site.reaches("moved", "Failed")
    browser.open("#/w/moved")
    browser.click("[data-act=retry]", "Retry")
    browser.see("dialog pre", "treadle retry moved")
    site.treadle("retry", "moved")
    site.until(lambda: site.shape("moved")["status"]["runs"][-1]["number"] == 2)
    site.reaches("moved", "Failed")
    browser.click("dialog button.main", "Retry")
    browser.see("dialog .why")
    browser.see("dialog p", "has changed since")
    path.unlink()


def test_an_approval_is_answered(browser: Browser, site: Site) -> None:
    site.write("ask", {"name": "sure", "approve": {"message": "Go on?"}})
    browser.open("#/w/ask")
    browser.see(".banner.asks", "Go on?")
    browser.click(".banner [data-act=approve]", "Approve")
    browser.click("dialog button.main", "Approve")
    browser.see(".node.p-Succeeded[data-step=sure]")


def test_a_definition_is_started_with_a_param(browser: Browser, site: Site) -> None:
    step = {"name": "greet", "run": "echo hello", "env": {"WHO": "${{ params.who }}"}}
    site.write("greeting", step, params={"who": {"type": "string"}}, triggers=[])
    browser.open("#/w/greeting")
    browser.click("[data-act=start]", "Start")
    browser.see("dialog .hint", "To be filled in: who")
    assert browser.find("dialog .why") is None
    browser.see("dialog .field input").send_keys("moon")
    browser.press(Keys.TAB)
    browser.see("dialog pre", "who=moon")
    browser.click("dialog button.main", "Start")
    browser.see(".verdict .p-Succeeded")
    browser.click(".grid td.p-Succeeded a")
    browser.see(".pair", "who moon")


# ---------------------------------------- other views


def test_a_preview_draws_what_the_drafts_would_do(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Site(tmp_path_factory.mktemp("drafted"))
    place.spec("etl", extract="true", load="true")
    place.treadle("up", "--once")
    drafts = place.root / "drafts"
    drafts.mkdir()
    text = (place.specs / "etl.yaml").read_text()
    (drafts / "etl.yaml").write_text(text.replace('"run": "true",', '"run": "echo",', 1))
    (drafts / "bad.yaml").write_text(
        "apiVersion: treadle.dev/v1\nkind: Workflow\nspec: {steps: 1}\n"
    )
    edited = json.loads(text)
    edited["spec"]["steps"][1]["run"] = "echo more"
    (drafts / "etl.yaml").write_text(json.dumps(edited))
    with place.serving("--drafts", str(drafts)):
        shown = Browser(browser.driver, place.url)
        shown.forget()
        shown.log_in(place.session("view"))
        shown.open("#/preview")
        shown.see("p.hint", "keep the specs in a git repository")
        shown.see_no("code", "--drafts")
        shown.open("#/preview?of=drafts")
        shown.see(".node.p-keep[data-step=extract]")
        shown.see(".node.p-run[data-step=load]")
        shown.see(".faults", "bad.yaml")
        shown.see("p.verdict", "1 workflow would change")


def test_a_run_is_played(browser: Browser, site: Site) -> None:
    site.write(
        "played",
        {"name": "one", "run": "sleep 0.3"},
        {"name": "two", "run": "sleep 0.3", "dependsOn": ["one"]},
    )
    site.reaches("played", "Succeeded")
    browser.open("#/w/played")
    browser.see(".node.p-Succeeded[data-step=two]")
    slider = browser.see(".scrubber input")
    slider.send_keys(Keys.HOME)
    browser.see(".node.p-Pending[data-step=two]")
    browser.see("#state", "as of")
    browser.see(".fact", "has taken 0.0s")
    browser.js("document.activeElement.blur()")
    browser.press(" ")
    browser.see(".node.p-Running[data-step=two]")
    browser.see(".node.p-Succeeded[data-step=two]")
    browser.see(".scrubber button:disabled", "End")
    browser.press("2")
    browser.see(".timeline .part.running")


def test_all_of_it_by_the_keyboard(browser: Browser, site: Site) -> None:
    site.write(
        "keys",
        {"name": "one", "run": "echo printed; exit 1"},
        {"name": "two", "run": "true", "dependsOn": ["one"]},
    )
    site.reaches("keys", "Failed")
    browser.open("#/")
    browser.see(".tools")
    browser.press("/", *"keys")
    browser.until(lambda: browser.texts("a.to") == ["keys"], "only one row")
    browser.press(Keys.ESCAPE, Keys.ARROW_DOWN)
    assert browser.focused() == "keys"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.focused().startswith("run 1: Failed")
    browser.press(Keys.ARROW_LEFT, Keys.ENTER)
    browser.see("[data-step=one]")
    browser.js("document.querySelector('.tabs button').focus()")
    for _ in range(12):
        browser.press(Keys.TAB)
        if browser.focused().startswith("one"):
            break
    browser.press(Keys.ARROW_RIGHT)
    assert browser.focused().startswith("two: Skipped")
    browser.press(Keys.ARROW_LEFT, Keys.ENTER)
    browser.see(".side h2", "one")
    browser.see(".side pre", "printed")
    browser.press("l")
    browser.see(".line", "printed")
    browser.press(Keys.ESCAPE)
    browser.see(".side h2", "one")
    browser.press(Keys.ESCAPE)
    browser.see_no(".side")
    browser.press("?")
    browser.see("dialog kbd")
    browser.press(Keys.ESCAPE)
    browser.see_no("dialog")
    browser.press("3")
    browser.see("td", "Skipped")


# ---------------------------------------- what comes from outside stays text


def test_nothing_of_what_workflows_say_is_run(browser: Browser, site: Site) -> None:
    evil = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    site.write(
        "evil",
        {
            "name": "shout",
            "run": f"echo '{evil}'; echo 'v={evil}' >> \"$TREADLE_OUTPUT\"",
            "outputs": {"v": "string"},
        },
        {
            "name": "each",
            "run": "true",
            "forEach": [evil, "javascript:alert(1)"],
            "dependsOn": ["shout"],
            "env": {"V": "${{ item }}"},
        },
        {"name": "asks", "approve": {"message": evil}, "dependsOn": ["each"]},
        params={"p": evil},
        labels={"x": evil},
    )
    browser.open("#/?q=evil")
    browser.see("a.to", "evil")
    for place in (
        "#/w/evil?step=shout",
        "#/w/evil?tab=Table",
        "#/w/evil?tab=Timeline",
        "#/w/evil?tab=Details",
    ):
        browser.open(place)
        browser.see(".banner.asks", "<script>")
        browser.see(".facts", "<script>")
    browser.open("#/w/evil/log?step=shout")
    browser.see(".line", "<script>")
    browser.open("#/w/%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E")
    browser.see("h1", "Not found")
    assert browser.js("window.hacked") is None
    assert browser.driver.find_elements("css selector", "img:not([src^='/page/'])") == []
    assert [
        each for each in browser.complaints() if "404" not in each and "favicon" not in each
    ] == []


# ---------------------------------------- what can be seen

PLACES = (
    "#/",
    "#/w/seen?step=good",
    "#/w/seen?tab=Timeline",
    "#/w/seen?tab=Table",
    "#/w/seen?tab=Details",
    "#/w/seen/log?step=good",
    "#/w/seen-often",
    "#/preview",
    "#/pools",
    "#/nowhere",
)


@pytest.fixture(scope="module")
def seen(site: Site) -> None:
    """Workflows in which every phase is to be seen."""
    colours = "; ".join(
        f"printf '\\033[{code}mcode {code}\\033[0m\\n'" for code in (*range(30, 38), *range(90, 98))
    )
    site.write(
        "seen",
        {"name": "good", "run": colours, "uses": [{"lock": "door"}]},
        {"name": "bad", "run": "exit 3", "continueOnFailure": True},
        {"name": "skipped", "run": "true", "when": "${{ params.yes }}"},
        {
            "name": "later",
            "run": "false",
            "retry": {"limit": 9, "backoff": {"initialSeconds": 900}},
        },
        {"name": "asks", "approve": {"message": "Go on?"}},
        {"name": "stays", "run": HELD, "uses": [{"lock": "door"}]},
        params={"yes": False},
        labels={"a-label": "with-a-long-value-of-some-letters"},
    )
    site.write(
        "seen-often",
        {"name": "a-step-with-a-long-name", "run": "true"},
        triggers=[{"everySeconds": 1}],
        keepInstances=80,
    )
    site.reaches("seen", "Running")


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(browser: Browser, scheme: str) -> None:
    """WCAG AA: 4.5 to 1."""
    browser.scheme(scheme)
    for place in PLACES:
        browser.open(place)
        browser.see("h1")
        browser.until(
            lambda: browser.js(
                "!document.querySelector('main .hint')?.innerText.startsWith('Loading')"
            ),
            "it is there",
        )
        assert browser.js(FAINT) == [], f"{place} in {scheme}"
    browser.open("#/w/seen")
    browser.click("[data-act=cancel]")
    browser.see("dialog pre")
    assert browser.js(FAINT) == [], f"a dialog in {scheme}"


@pytest.mark.usefixtures("seen")
def test_nothing_is_wider_than_a_phone(browser: Browser) -> None:
    browser.sized(360, 740)
    for place in PLACES:
        browser.open(place)
        browser.see("h1")
        assert browser.js("document.documentElement.scrollWidth") == 360, place


def test_a_log_of_a_gigabyte_is_opened_at_once(browser: Browser, site: Site) -> None:
    """Sparse, but for its end: what is shown is read from there."""
    site.write("giant", {"name": "one", "run": "true"})
    site.reaches("giant", "Succeeded")
    log = site.state / site.shape("giant")["status"]["steps"][0]["attempts"][0]["log"]
    with log.open("r+b") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\n" + b"".join(b"line %d\n" % number for number in range(50_000)))
    begun = time.monotonic()
    browser.open("#/w/giant/log?step=one")
    browser.see(".line", "line 49999")
    assert time.monotonic() - begun < 15  # a second, where nothing else runs
    browser.see(".foot", "of 1.1 GB")
