"""Where the output of a command goes: into another encoding, to a reader that went away."""

import json

import pytest
import yaml
from cli.place import Place

FOREIGN = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: t, annotations: {who: "漢"}}
spec:
  steps:
    - {name: a, command: ["./prögramm→漢"]}
"""


@pytest.fixture
def in_ascii(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    (place.specs / "t.yaml").write_text(FOREIGN, encoding="utf-8")
    return place


def test_what_an_encoding_does_not_have_is_written_as_an_escape(in_ascii: Place) -> None:
    assert r"./pr\xf6gramm\u2192\u6f22" in in_ascii.says("up", "--once", code=1)
    for words in (("status", "t"), ("explain", "t"), ("events",)):
        assert r"./pr\xf6gramm\u2192\u6f22" in in_ascii.says(*words)


def test_data_is_utf_8_whatever_the_locale(in_ascii: Place) -> None:
    in_ascii.says("up", "--once", code=1)
    for words in (("get", "-o"), ("get", "t", "-o"), ("status", "t", "-o")):
        as_json = json.loads(in_ascii.says(*words, "json"))
        assert as_json == yaml.safe_load(in_ascii.says(*words, "yaml"))
        assert "漢" in str(as_json)
    events = in_ascii.says("events", "-o", "json").splitlines()
    assert "./prögramm→漢" in str([json.loads(event) for event in events])
    assert json.loads(in_ascii.says("schema"))
