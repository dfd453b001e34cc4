"""Every event survives the way to the disk and back; every prefix of a log is a past of it."""

import os
import tempfile
from itertools import accumulate
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from controller.log import segments
from controller.log.reader import DamagedLog, read
from controller.log.records import decode, encode_turn
from controller.model.events import EPOCH_MAX, TIME_MAX, AnyEvent, Event, Record, StepReady

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN: dict[type, st.SearchStrategy[Any]] = {
    inspect.AnyType: st.none(),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
}


def values_of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a type as msgspec sees it, constraints included."""
    match kind:
        case inspect.Metadata():
            return values_of(kind.type)
        case inspect.StrType():
            return st.from_regex(kind.pattern, fullmatch=True) if kind.pattern else TEXT
        case inspect.IntType():
            low, high = kind.ge, kind.le
            return st.integers(
                -(2**63) if low is None else low, 2**63 - 1 if high is None else high
            )
        case inspect.FloatType():
            low = kind.ge if kind.gt is None else kind.gt
            return st.floats(
                low,
                kind.le,
                allow_nan=False,
                allow_infinity=False,
                exclude_min=kind.gt is not None,
            )
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.ListType():
            return st.lists(values_of(kind.item_type), min_size=kind.min_length or 0, max_size=3)
        case inspect.VarTupleType():
            return st.lists(values_of(kind.item_type), max_size=3).map(tuple)
        case inspect.DictType():
            return st.dictionaries(values_of(kind.key_type), values_of(kind.value_type), max_size=3)
        case inspect.UnionType():
            return st.one_of(values_of(each) for each in kind.types)
        case inspect.StructType():
            return structs(kind)
    return PLAIN[type(kind)]


def structs(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    required = {field.name: values_of(field.type) for field in kind.fields if field.required}
    optional = {field.name: values_of(field.type) for field in kind.fields if not field.required}
    fields = st.fixed_dictionaries(required, optional=optional)
    return fields.map(lambda given: kind.cls(**given))


@pytest.mark.parametrize("kind", get_args(AnyEvent), ids=lambda kind: kind.__name__)
def test_every_event_comes_back_as_it_was(kind: type[Event]) -> None:
    seqs, times, epochs = (st.integers(1, most) for most in (2**62 - 1, TIME_MAX, EPOCH_MAX))

    @given(values_of(inspect.type_info(kind)), seqs, times, epochs)
    def check(event: AnyEvent, seq: int, time: int, epoch: int) -> None:
        record = Record(seq, seq, time, epoch, event)
        line = encode_turn([record])
        assert decode(line) == record
        assert msgspec.json.decode(line)["event"]["type"] == kind.__name__

    check()


def turns_of(sizes: list[int]) -> list[list[Record]]:
    """Turns of so many records each, with steps whose names differ in length."""
    turns: list[list[Record]] = []
    for first, size in zip(accumulate([1, *sizes]), sizes, strict=False):
        turns.append(
            [
                Record(seq, first, 1_000_000 + seq, 1, StepReady(uid="u", step="s" * (seq % 7 + 1)))
                for seq in range(first, first + size)
            ]
        )
    return turns


def what_is_read(data: bytes) -> list[Record]:
    with tempfile.TemporaryDirectory() as state:
        os.mkdir(segments.folder(state))
        with open(segments.path(state, 1), "wb") as file:
            file.write(data)
        return list(read(state))


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@given(SIZES, st.data())
def test_any_prefix_of_a_log_reads_as_its_whole_turns(
    sizes: list[int], data: st.DataObject
) -> None:
    turns = turns_of(sizes)
    ends = list(accumulate(len(encode_turn(turn)) for turn in turns))
    cut = data.draw(st.integers(0, ends[-1]))
    whole = sum(end <= cut for end in ends)
    log = b"".join(encode_turn(turn) for turn in turns)
    assert what_is_read(log[:cut]) == [record for turn in turns[:whole] for record in turn]


@given(SIZES, st.data())
def test_no_damage_invents_or_hides_an_acknowledged_turn(
    sizes: list[int], data: st.DataObject
) -> None:
    turns = turns_of(sizes)
    log = b"".join(encode_turn(turn) for turn in turns)
    at = data.draw(st.integers(0, len(log) - 1))
    bad = data.draw(st.binary(min_size=1, max_size=30))
    damaged = log[:at] + bad + log[at + len(bad) :]
    before = len(log) - len(encode_turn(turns[-1]))
    try:
        found = what_is_read(damaged)
    except DamagedLog:
        assert at < before, "damage confined to the last turn is a torn tail"
    else:
        written = [record for turn in turns for record in turn]
        assert found == written[: len(found)]
        # The last two turns may go together only where one hole reaches from one into the other.
        acknowledged = turns[:-1] if at >= before else turns[:-2]
        assert len(found) >= sum(map(len, acknowledged))
