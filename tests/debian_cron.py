"""Records when Debian's cron runs its jobs around the nights in which clocks are changed.

It is the real cron: only its clock is another one (debian_cron.c), so that nobody waits, and the
commands that it would start are recorded instead. It needs root, cron and a C compiler, and takes
some minutes; what it has found is kept in data/debian-cron.txt:

    apt-get install -y --no-install-recommends cron gcc libc6-dev
    .venv/bin/python tests/debian_cron.py > tests/data/debian-cron.txt

The folders of cron's tables are covered by empty ones, seen by this process and its children alone.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

ALL_YEARS = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # by the moon
)
IN_2026 = (
    "Europe/Dublin",
    "America/St_Johns",
    "America/Havana",  # midnight comes twice
    "America/Nuuk",  # 23:00 to midnight does not come, or comes twice
    "America/Santiago",  # midnight does not come
    "Atlantic/Azores",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Chatham",  # at 02:45
    "Antarctica/Troll",  # by two hours
)
NIGHTS = dict.fromkeys(ALL_YEARS, range(2025, 2028)) | dict.fromkeys(IN_2026, range(2026, 2027))
AROUND = timedelta(hours=4)  # recorded before and after the change

# h: the hour in which the gap or the double hour begins; b, n, o: the one before, the next, the one
# after that; d: the day of the month.
EXPRESSIONS = (
    "0 {h} * * *",
    "15 {h} * * *",
    "30 {h} * * *",
    "59 {h} * * *",
    "0 {n} * * *",
    "30 {n} * * *",
    "0,20,40 {h} * * *",
    "0-59/15 {h} * * *",
    "45 {b},{h},{n},{o} * * *",
    "0 {h},{n} * * *",
    "40 0-23 * * *",
    "10 0-23/2 * * *",
    "0 1-23/2 * * *",
    "10 {h}-{h}/2 * * *",
    "*/15 * * * *",
    "*/25 * * * *",
    "*/20 {h} * * *",
    "*/30 {n} * * *",
    "5 * * * *",
    "35 * * * *",
    "0 */2 * * *",
    "10 */2 * * *",
    "40 */3 * * *",
    "*/15 {h} * * sun",
    "30 {h} {d} * *",
    "30 {h} * * sun",
    "30 {h} * * sat",
    "30 {h} 13 * sun",
    "30 {h} */2 * sun",
    "0 0 * * *",
    "30 0 * * *",
    "30 23 * * *",
    "@hourly",
    "@daily",
)


def main() -> None:
    if "--covered" not in sys.argv:
        again = [sys.executable, __file__, "--covered"]
        sys.exit(subprocess.run(["unshare", "--mount", *again], check=False).returncode)
    version = run("dpkg-query", "--show", "--showformat=${Version}", "cron")
    zones = run("dpkg-query", "--show", "--showformat=${Version}", "tzdata")
    print(f"# When cron {version} of Debian ran its jobs, with the zones of tzdata {zones}.")
    print("# Recorded from the running program by tests/debian_cron.py: its clock was moved on")
    print("# whenever it slept. A night: zone, moment of the change, offset before and after (s).")
    print("# Then each expression, and the minutes in which it ran, of those less than")
    print(f"# {AROUND} before or after the change; all in UTC. Runs in one minute are one here.")
    with TemporaryDirectory() as folder:
        clock = Path(folder) / "clock.so"
        source = Path(__file__).with_suffix(".c")
        run("cc", "-shared", "-fPIC", "-O1", "-o", str(clock), str(source))
        cover()
        for name, years in NIGHTS.items():
            for at in changes(name, years):
                tell(name, at, clock)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def cover() -> None:
    for folder in ("/etc/cron.d", "/var/spool/cron", "/run"):
        run("mount", "-t", "tmpfs", "none", folder)
    Path("/var/spool/cron/crontabs").mkdir()
    Path("/run/empty").touch()
    run("mount", "--bind", "/run/empty", "/etc/crontab")


def changes(name: str, years: range) -> Iterator[datetime]:
    """The moments in these years at which the clocks of a zone are changed."""
    minute, day = timedelta(minutes=1), timedelta(days=1)
    at = datetime(years.start, 1, 1, tzinfo=UTC)
    while at.year < years.stop:
        if offset(name, at) != offset(name, at + day):
            within = (at + minute * n for n in range(1, 1441))
            yield next(one for one in within if offset(name, one) != offset(name, one - minute))
        at += day


def offset(name: str, at: datetime) -> timedelta:
    found = at.astimezone(ZoneInfo(name)).utcoffset()
    assert found is not None
    return found


def tell(name: str, at: datetime, clock: Path) -> None:
    before, after = offset(name, at - timedelta(minutes=1)), offset(name, at)
    low = at.replace(tzinfo=None) + min(before, after)
    hours = {key: (low.hour + n) % 24 for key, n in {"b": -1, "h": 0, "n": 1, "o": 2}.items()}
    print(f"\n{name} {at:%Y-%m-%dT%H:%MZ}", *(int(one.total_seconds()) for one in (before, after)))
    for template in EXPRESSIONS:
        expression = template.format(**hours, d=low.day)
        print(f"{expression}:", *fired(name, at, clock, expression), flush=True)


def fired(name: str, at: datetime, clock: Path, expression: str) -> list[str]:
    record = Path("/run/record")
    record.write_text("")
    Path("/etc/cron.d/due").write_text(f"{expression} root due\n")
    environment = {
        "TZ": name,
        "LD_PRELOAD": str(clock),
        "CLOCK_BEGIN": str(int((at - AROUND).timestamp())),
        "CLOCK_END": str(int((at + AROUND).timestamp())),
        "CLOCK_RECORD": str(record),
    }
    subprocess.run(["/usr/sbin/cron", "-f"], env=environment, check=True, timeout=60)
    moments = (int(line.split()[0]) for line in record.read_text().splitlines())
    minutes = sorted({moment // 60 * 60 for moment in moments})
    return [f"{datetime.fromtimestamp(one, UTC):%dT%H:%M}" for one in minutes]


if __name__ == "__main__":
    main()
