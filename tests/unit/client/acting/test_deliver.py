"""What a server makes of deliveries: who may, what is taken, and what is durable then."""

import errno
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from story import Story, a_step

from controller.client.acting import deliver as module
from controller.client.acting.deliver import (
    WAITING_MAX,
    Malformed,
    NotDelivered,
    NotWritten,
    Receipt,
    TooLarge,
    TooMany,
    Unauthorized,
    deliver,
)
from controller.model.observations import Request
from controller.requests import requests_folder, waiting
from controller.spec.triggers.trigger import BODY_BYTES_MAX

SECRET = "hush, hush"
BEARER = {"authorization": f"Bearer {SECRET}"}
JSON = {"content-type": "application/json"}
HOOK = {"name": "push", "webhook": {"secret": {"fromFile": "../secret"}}}


class Place:
    """A state folder, a specs folder with a secret beside it, and the fold of their log."""

    def __init__(self, root: Path) -> None:
        self.state_dir, self.secret = str(root / "state"), root / "secret"
        self.specs = root / "specs"
        self.specs.mkdir()
        self.secret.write_text(f"{SECRET}\n")
        self.story = Story().accept([a_step("a")], "etl", triggers=[HOOK, {"everySeconds": 60}])
        self.story.accept([a_step("a")], "plain")
        self.story.state.controller.folder = str(self.specs)

    def send(
        self,
        body: object = b"",
        headers: Mapping[str, str] = BEARER,
        name: str = "etl",
        trigger: str = "push",
    ) -> Receipt:
        """What is no bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**JSON, **headers}
        return deliver(self.state_dir, self.story.state, name, trigger, headers, raw)

    def waiting(self) -> list[Request]:
        return list(waiting(self.state_dir))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


def test_what_is_taken_is_a_request_that_the_controller_carries_out(place: Place) -> None:
    body = {"ref": "main", "n": 1.5, "all": [None, True, "é"]}
    done = place.send(body, {**BEARER, "idempotency-key": "k-1"})
    (request,) = place.waiting()
    assert done == Receipt(key="k-1", request=request.name)
    assert (request.kind, request.workflow, request.trigger) == ("deliver", "etl", "push")
    assert (request.key, request.body) == ("k-1", body)
    assert request.uid == place.story.life("etl").uid
    place.story.ask("deliver", **_fields(request))
    (life,) = (life for life in place.story.state.lives.values() if life.birth is not None)
    assert life.name == "etl@k-1"
    assert life.birth is not None
    assert life.birth.facts.body == body


def _fields(request: Request) -> dict[str, Any]:
    names = ("name", "workflow", "uid", "trigger", "key", "body")
    return {name: getattr(request, name) for name in names}


def test_a_key_that_has_begun_an_instance_writes_nothing(place: Place) -> None:
    place.story.ask("deliver", workflow="etl", trigger="push", key="k-1")
    done = place.send({}, {**BEARER, "x-github-delivery": "k-1"})
    assert done == Receipt(key="k-1", instance="etl@k-1")
    assert place.waiting() == []
    assert place.send({}, {**BEARER, "x-github-delivery": "k-2"}).request


# ---------------------------------------- who may


@pytest.mark.parametrize(
    "headers",
    [
        BEARER,
        {"authorization": f"bearer {SECRET}"},
        {"x-gitlab-token": SECRET},
        signed(b"{}"),
        {**signed(b"{}"), "authorization": "Basic abc", "x-gitlab-token": "wrong"},
    ],
)
def test_each_proof_is_enough(place: Place, headers: dict[str, str]) -> None:
    assert place.send(b"{}", headers).request


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Bearer {SECRET}s"},
        {"authorization": f"Bearer {SECRET[:-1]}"},
        {"authorization": f"Bearer {SECRET}\u0141"},
        {"authorization": f"Basic {SECRET}"},
        {"authorization": SECRET},
        {"x-gitlab-token": ""},
        {"x-gitlab-token": "wrong"},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": SECRET},
        {"x-hub-signature-256": signed(b"{}")["x-hub-signature-256"].removeprefix("sha256=")},
        signed(b"{ }"),
        signed(b"{}", "wrong"),
        signed(b"{}", f"{SECRET}\n"),
        {"x-hub-signature": signed(b"{}")["x-hub-signature-256"]},
    ],
)
def test_no_other_is(place: Place, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        place.send(b"{}", headers)
    assert place.waiting() == []


def refused(place: Place, **what: Any) -> tuple[type, int, str]:
    with pytest.raises(NotDelivered) as caught:
        place.send(**what)
    return type(caught.value), caught.value.status, str(caught.value)


@pytest.mark.parametrize(
    "what",
    [
        {"name": "nobody"},
        {"name": "plain"},
        {"trigger": "nothing"},
        {"trigger": "everySeconds"},
        {"name": "etl@latest"},
        {"name": ""},
        {"trigger": "\0"},
    ],
)
@pytest.mark.parametrize("body", [b"{}", b"no JSON"])
def test_what_is_not_there_answers_as_a_wrong_secret(
    place: Place, what: dict[str, str], body: bytes
) -> None:
    wrong = refused(place, body=body, headers={"x-gitlab-token": "wrong"})
    assert refused(place, body=body, **what) == wrong
    assert wrong[1] == 401


def test_and_reads_as_many_files_for_it(place: Place) -> None:
    """How long the answer takes shows no hook: both read a file, and compare the same headers."""
    for headers in (BEARER, signed(b"{}", "wrong")):
        seen = []
        for name in ("etl", "nobody"):
            with (
                patch.object(module, "of_file", wraps=module.of_file) as read,
                patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared,
                patch.object(hmac, "new", wraps=hmac.new) as hashed,
                pytest.raises(Unauthorized),
            ):
                place.send(b"{}", {"x-gitlab-token": "wrong", **headers, "authorization": ""}, name)
            seen.append((read.call_count, compared.call_count, hashed.call_count))
        assert seen[0] == seen[1]


def test_a_definition_that_goes_has_no_hooks(place: Place) -> None:
    place.story.ask("start", workflow="etl", key="k")
    place.story.delete("etl")
    assert refused(place)[0] is Unauthorized


def test_nor_has_one_whose_triggers_an_edit_takes_away(place: Place) -> None:
    place.story.ask("start", workflow="etl", key="k")
    place.story.convert([a_step("a")], "etl")
    assert place.story.life("etl").pending is not None
    assert refused(place)[0] is Unauthorized


class TestTheSecret:
    def test_is_read_anew_each_time(self, place: Place) -> None:
        place.send()
        place.secret.write_text("another")
        assert refused(place)[1] == 401
        place.send(headers={"authorization": "Bearer another"})

    @pytest.mark.parametrize("content", [b"ab\n", b"ab\r\n", b"ab"])
    def test_ends_before_its_newline(self, place: Place, content: bytes) -> None:
        place.secret.write_bytes(content)
        place.send(headers={"x-gitlab-token": "ab"})

    def test_may_be_any_bytes(self, place: Place) -> None:
        place.secret.write_bytes(b"\xff\xfe\xc3\xa9")
        as_it_came = "\xff\xfe\xc3\xa9"  # one character a byte
        place.send(headers={"x-gitlab-token": as_it_came})
        place.send(headers={"authorization": f"Bearer {as_it_came}"})

    def test_may_be_a_link_to_a_file(self, place: Place) -> None:
        target = place.secret.rename(place.secret.with_name("mounted"))
        place.secret.symlink_to(target)
        place.send()

    def broken(self, place: Place) -> str:
        """That it can't be used is told to who runs the server, and to nobody else."""
        notes = []
        for headers in (BEARER, {}, {"x-gitlab-token": ""}):
            with pytest.raises(Unauthorized) as caught:
                place.send(headers=headers)
            assert str(caught.value) == "no such webhook, or not its secret"
            notes.append(caught.value.note)
        assert len(set(notes)) == 1
        assert SECRET not in notes[0]
        return notes[0]

    def test_missing(self, place: Place) -> None:
        place.secret.unlink()
        note = self.broken(place)
        assert note == f"the secret of webhook push of etl: no file {place.secret}"

    @pytest.mark.parametrize("content", ["", "\n", "\r\n"])
    def test_empty(self, place: Place, content: str) -> None:
        place.secret.write_text(content)
        assert self.broken(place).endswith("is empty, so nothing can be delivered")

    def test_too_large(self, place: Place) -> None:
        place.secret.write_bytes(b"x" * 5_000_000)
        assert self.broken(place).endswith("has more than 102,400 bytes")

    def test_a_pipe_holds_up_nobody(self, place: Place) -> None:
        place.secret.unlink()
        os.mkfifo(place.secret)
        assert self.broken(place).endswith("can't be read: it is not a regular file")

    def test_a_folder(self, place: Place) -> None:
        place.secret.unlink()
        place.secret.mkdir()
        assert self.broken(place).endswith("can't be read: it is a folder")

    @pytest.mark.parametrize("name", ["etl", "nobody"])
    def test_with_no_descriptor_left_it_is_for_later(self, place: Place, name: str) -> None:
        """Whether the hook is there or not."""
        with patch("os.open", side_effect=OSError(errno.EMFILE, "Too many open files")):
            assert refused(place, name=name)[:2] == (NotWritten, 503)


# ---------------------------------------- what it says


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"idempotency-key": "a", "x-github-delivery": "b", "x-gitlab-event-uuid": "c"}, "a"),
        ({"x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
         "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ({"idempotency-key": "", "x-gitlab-event-uuid": "c"}, "c"),
        ({"idempotency-key": '"a"'}, "167004e8304614a8"),
        ({"idempotency-key": "x" * 60_000}, "c8c5797f73d5938f"),
    ],
)  # fmt: skip
def test_the_key(place: Place, headers: dict[str, str], key: str) -> None:
    assert place.send(headers={**BEARER, **headers}).key == key
    assert place.waiting()[0].key == key


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_without_a_body_it_is_an_empty_mapping(place: Place, body: bytes) -> None:
    place.send(body, {**BEARER, "content-type": ""})
    assert place.waiting()[0].body == {}


@pytest.mark.parametrize(
    "type_", ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"]
)
def test_json_by_any_name(place: Place, type_: str) -> None:
    place.send([1], {**BEARER, "content-type": type_})
    assert place.waiting()[0].body == [1]


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, "send application/json"),
        (b"{}", {"content-type": ""}, "the content type of the body is missing"),
        (b"{", {}, "the body is not JSON: line 1, column 2"),
        (b"\xff", {}, "the body is not UTF-8"),
        (b'{"a": NaN}', {}, "NaN is not allowed in JSON"),
        (b'{"a": 1e999}', {}, "too large for a number"),
        (b'"text"', {}, "neither a mapping nor a list"),
        (b"null", {}, "neither a mapping nor a list"),
        (b"5", {}, "neither a mapping nor a list"),
        (b'["\\ud800"]', {}, "is not valid Unicode"),
        (b"[" * 30_000, {}, "nested more than 64 deep"),
        (b"[" * 65 + b"]" * 65, {}, "nested more than 64 deep"),
        (b"{}", {"idempotency-key": "latest"}, "can't be a key"),
    ],
)
def test_what_can_not_be_understood(
    place: Place, body: bytes, headers: dict[str, str], said: str
) -> None:
    kind, status, text = refused(place, body=body, headers={**BEARER, **headers})
    assert (kind, status) == (Malformed, 400)
    assert said in text
    assert place.waiting() == []


def test_a_body_of_64_kib_and_no_more(place: Place) -> None:
    most = json.dumps(["x" * (BODY_BYTES_MAX - 4)]).encode()
    assert len(most) == BODY_BYTES_MAX
    place.send(most)
    for headers in (BEARER, {}):
        assert refused(place, body=most + b" ", headers=headers)[:2] == (TooLarge, 413)
    (request,) = place.waiting()
    place.story.ask("deliver", **_fields(request))
    assert "etl" in next(life.name for life in place.story.state.lives.values() if life.birth)


def test_nor_one_that_grows_when_it_is_written_out(place: Place) -> None:
    short = b"[" + b"1e15," * 13_000 + b"1]"
    assert len(short) < BODY_BYTES_MAX
    assert refused(place, body=short)[:2] == (TooLarge, 413)


# ---------------------------------------- where it goes


def test_too_many_wait(place: Place) -> None:
    place.send()
    folder = Path(requests_folder(place.state_dir))
    first = place.waiting()[0].name
    for number in range(WAITING_MAX - 1):
        os.link(folder / first, folder / f"{number:020}-1-a.json")
    (folder / "README").write_text("no request")
    assert refused(place)[:2] == (TooMany, 429)
    (folder / f"{0:020}-1-a.json").unlink()
    place.send()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Each file that is written ends before its content."""
    with patch("os.fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        yield


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk(place: Place) -> None:
    with pytest.raises(NotWritten) as caught:
        place.send()
    assert caught.value.status == 503
    assert place.state_dir not in str(caught.value), "the sender learns no paths"
    assert "No space left on device" in caught.value.note
    assert os.listdir(requests_folder(place.state_dir)) == []


def test_a_state_folder_of_somebody_else(place: Place) -> None:
    os.makedirs(place.state_dir)
    os.chmod(place.state_dir, 0o777)
    assert refused(place)[:2] == (NotWritten, 503)
    assert not os.path.exists(requests_folder(place.state_dir))


def test_both_file_and_folder_are_synced_before_it_is_taken(place: Place) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        real(fd)

    with patch("os.fsync", fsync):
        done = place.send({"a": 1})
    assert synced == [f".{done.request}.tmp", "requests"]
