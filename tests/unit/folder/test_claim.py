"""One controller of a machine has a specs folder; others hear that it is taken."""

import socket

import pytest

from controller.folder.claim import Claim

NAME = "test-of-claims"


def test_the_second_hears_of_the_first_until_that_has_gone() -> None:
    first, second = Claim(), Claim()
    assert first.take(NAME)
    assert first.take(NAME), "asked again"
    assert not second.take(NAME)
    assert second.take(f"{NAME}-2"), "another folder"
    assert not second.take(NAME)
    first.give_back()
    assert second.take(NAME)
    second.give_back()


def test_another_folder_gives_the_first_back() -> None:
    first, second = Claim(), Claim()
    assert first.take(NAME)
    assert first.take(f"{NAME}-2")
    assert second.take(NAME)
    first.give_back()
    second.give_back()


def test_where_no_socket_can_be_had_nobody_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Claim().take(NAME)
