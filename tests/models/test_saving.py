"""Models in files: what comes back, what is refused, and how it is said."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import NotFittedError
from small_corpora import (
    assert_same_attributes,
    fitted_attributes,
    make_counts,
    make_model,
    make_table,
)

import dpsvi
from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import Corpus
from dpsvi.engine import History
from dpsvi.models.lda.packing import pack, unpack
from dpsvi.models.lda.saving import FORMAT

COUNTS = make_counts()
NEW = make_counts(seed=1)


def kept(model: Any, folder: Path) -> Any:
    path = folder / "model.safetensors"
    model.save(path)
    return DPSVILatentDirichletAllocation.load(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a small model."""
    path = tmp_path / "model.safetensors"
    make_model().fit(COUNTS).save(path)
    return path


KINDS: list[dict[str, Any]] = [
    {},
    {"inference": "cvb0", "dtype": np.float64},
    {"doc_topic_prior": np.array([0.1, 0.2, 0.3]), "topic_word_prior": 0.02},
    {"doc_topic_prior": [0.1, 0.2, 0.3], "dtype": "float32"},
    {"doc_topic_prior": "auto", "topic_word_prior": "auto"},
    {"topic_word_prior": {"default": 0.1, 0: [3], 2: {4: 2.5}}},
    {"topic_word_prior": np.full((3, 20), 0.3) + np.arange(20)},
    {"learning_method": "batch", "evaluate_every": 1, "dtype": np.dtype("float64")},
]


@pytest.mark.parametrize("parameters", KINDS)
def test_a_model_comes_back_bit_for_bit(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    model = make_model(**parameters).fit(COUNTS, X_val=NEW)
    again = kept(model, tmp_path)
    assert_same_attributes(fitted_attributes(again), fitted_attributes(model))
    assert again.history_ == model.history_
    assert again.history_.columns == model.history_.columns
    for name, value in model.get_params().items():
        np.testing.assert_array_equal(again.get_params()[name], value)
        assert type(again.get_params()[name]) is type(value)
    for measure in ("transform", "score", "perplexity", "heldout_perplexity"):
        one, two = getattr(model, measure)(NEW), getattr(again, measure)(NEW)
        np.testing.assert_array_equal(one, two, err_msg=measure)
    for name in ("exp_dirichlet_component_", "bound_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(again, name))
    assert again.topics(4) == model.topics(4)


def test_a_model_keeps_what_pickle_keeps(tmp_path: Path) -> None:
    model = make_model().fit(COUNTS)
    again, pickled = kept(model, tmp_path), pickle.loads(pickle.dumps(model))
    assert vars(again).keys() == vars(pickled).keys()


@pytest.mark.parametrize("prior", [None, "auto"])
def test_learning_goes_on_as_if_nothing_had_happened(
    prior: str | None, tmp_path: Path
) -> None:
    model = make_model(doc_topic_prior=prior, topic_word_prior=prior)
    model.partial_fit(COUNTS)
    again = kept(model, tmp_path)
    for _ in range(2):
        model.partial_fit(NEW)
        again.partial_fit(NEW)
    assert_same_attributes(fitted_attributes(again), fitted_attributes(model))
    one, two = (m.random_state_.randint(2**31, size=5) for m in (model, again))
    np.testing.assert_array_equal(one, two)


def test_a_model_may_learn_without_a_seed(tmp_path: Path) -> None:
    model = make_model(random_state=None).partial_fit(COUNTS)
    again = kept(model, tmp_path)
    model.partial_fit(NEW)
    np.testing.assert_array_equal(again.partial_fit(NEW).components_, model.components_)


def test_words_and_table_output_come_back(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    words = [f"wörd-{w}\N{SNOWMAN}" for w in range(20)]
    model = make_model().fit(pd.DataFrame(make_table(), columns=words))
    again = kept(model.set_output(transform="pandas"), tmp_path)
    assert again.feature_names_in_.tolist() == words
    assert again.topics(1)[0][0][0] in words
    table = again.transform(pd.DataFrame(make_table(), columns=words))
    assert table.columns[0] == "dpsvilatentdirichletallocation0"


def test_words_of_a_corpus_are_known_after_loading(tmp_path: Path) -> None:
    corpus = Corpus([[1, 2], [0, 3]], vocabulary=["ape", ""])
    again = kept(make_model(2).fit(corpus), tmp_path)
    assert again.transform(corpus).shape == (2, 2)
    other = Corpus([[2, 1], [3, 0]], vocabulary=["", "ape"])
    np.testing.assert_array_equal(again.transform(other), again.transform(corpus))
    with pytest.raises(ValueError, match="vocabulary differs"):
        again.partial_fit(other)


def test_callbacks_and_documents_stay_behind(tmp_path: Path) -> None:
    pytest.importorskip("sklearn.callback")
    from sklearn.callback import ProgressBar

    model = make_model().fit(COUNTS).set_callbacks(ProgressBar())
    again = kept(model, tmp_path)
    assert not hasattr(again, "_skl_callbacks")
    assert isinstance(again._bound, float)


def test_the_package_loads_models(path: Path) -> None:
    assert dpsvi.load(str(path)).n_iter_ == 3


def test_a_subclass_loads_its_own(path: Path) -> None:
    class Mine(DPSVILatentDirichletAllocation):
        pass

    assert type(Mine.load(path)) is Mine


def test_the_header_is_strict_json_that_says_what_it_is(path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["dpsvi"], parse_constant=refuse)
    assert header["format"] == FORMAT
    assert header["version"] == dpsvi.__version__
    assert (header["n_topics"], header["n_words"]) == (3, 20)
    assert header["parameters"]["max_iter"] == 3


def test_the_array_in_the_file_lies_word_by_word(path: Path) -> None:
    components = DPSVILatentDirichletAllocation.load(path).components_
    np.testing.assert_array_equal(load_file(path)["components_"], components.T)
    assert components.flags.writeable
    assert components.T.flags.c_contiguous


def test_an_older_file_is_replaced_while_its_model_is_in_use(path: Path) -> None:
    model = dpsvi.load(path)
    before = model.transform(NEW)
    make_model(5).fit(COUNTS).save(path)
    np.testing.assert_array_equal(model.transform(NEW), before)
    assert dpsvi.load(path).components_.shape == (5, 20)


# Refused.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("random_state", np.random.RandomState(0)),
        ("doc_topic_prior", print),
        ("dtype", [object()]),
    ],
)
def test_parameters_that_no_file_can_hold(
    name: str, value: Any, tmp_path: Path
) -> None:
    model = make_model().fit(COUNTS).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"parameter {name} .*set_params"):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_attributes_that_no_file_can_hold(path: Path) -> None:
    before = path.read_bytes()
    model = make_model().fit(COUNTS)
    model.note_ = lambda: None
    with pytest.raises(ValueError, match=r"attribute note_ .*delete"):
        model.save(path)
    assert path.read_bytes() == before


def test_only_fitted_models_are_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        make_model().save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        make_model().fit(COUNTS).save(tmp_path / "no" / "model.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing"):
        dpsvi.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no file"):
        dpsvi.load(tmp_path)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = tmp_path_factory.getbasetemp() / "whole.safetensors"
    if not whole.exists():
        make_model(2).fit(COUNTS).save(whole)
    part = whole.with_name("part.safetensors")
    content = whole.read_bytes()
    part.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"part.safetensors is damaged"):
        dpsvi.load(part)


def rewritten(path: Path, **changes: Any) -> None:
    """Change the header of a file; None takes an item away."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["dpsvi"])
    header.update(changes)
    header = {name: item for name, item in header.items() if item is not None}
    save_file(load_file(path), path, metadata={"dpsvi": json.dumps(header)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1, "version": "9.9"}, r"format 2, .*reads format 1.*9\.9"),
        ({"format": None}, "header .* is damaged"),
        ({"n_words": 21}, "header .* is damaged.*components_"),
        ({"parameters": None}, "header .* is damaged"),
        ({"attributes": {}}, "header .* is damaged"),
        ({"attributes": {"components_": {"array": "none"}}}, "is damaged"),
        ({"attributes": {"components_": {"program": "x"}}}, "header .* is damaged"),
        ({"attributes": {"components_": {}}}, "header .* is damaged"),
        ({"parameters": {"colour": "red"}, "version": "9.9"}, r"9\.9.*colour"),
        ({"environment": {}}, r"an agent; .*dpsvi\.rl\.load"),
    ],
)
def test_headers_that_are_not_ours(
    path: Path, changes: dict[str, Any], message: str
) -> None:
    rewritten(path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        dpsvi.load(path)
    assert str(path) in str(caught.value)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(
    place: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = tmp_path_factory.getbasetemp() / "sound.safetensors"
    if not whole.exists():
        make_model(2).fit(COUNTS).save(whole)
    content = bytearray(whole.read_bytes())
    # What is before stands for names and places, and is checked by the format.
    first = 8 + int.from_bytes(content[:8], "little")
    content[first + int(place * (len(content) - first))] ^= 1 << bit
    changed = whole.with_name("changed.safetensors")
    changed.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"changed.safetensors is damaged: .* has chan"
    ):
        dpsvi.load(changed)


def test_a_changed_number_in_the_header_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    assert content.count(rb"\"n_iter_\": 3") == 1
    path.write_bytes(content.replace(rb"\"n_iter_\": 3", rb"\"n_iter_\": 4"))
    with pytest.raises(ValueError, match="is damaged: its header has changed; save"):
        dpsvi.load(path)


def test_files_without_digests_are_read(path: Path) -> None:
    model = dpsvi.load(path)
    rewritten(path, digests=None)
    np.testing.assert_array_equal(dpsvi.load(path).components_, model.components_)


def test_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": np.ones(3)}, path)
    with pytest.raises(ValueError, match="no model of dpsvi"):
        dpsvi.load(path)
    save_file({"a": np.ones(3)}, path, metadata={"dpsvi": "{"})
    with pytest.raises(ValueError, match=r"header .* is damaged"):
        dpsvi.load(path)
    path.write_bytes(pickle.dumps(make_model()))
    with pytest.raises(ValueError, match="damaged, or no safetensors file"):
        dpsvi.load(path)


# Values.

ARRAYS = hnp.arrays(
    st.sampled_from(["float32", "float64", "int64", "uint8", "bool"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | ARRAYS
    | ARRAYS.map(np.transpose)
    | st.sampled_from([np.float32, np.dtype("float64")])
    | st.lists(st.text()).map(lambda words: np.array(words, dtype=object)),
    lambda items: (
        st.lists(items)
        | st.lists(items).map(tuple)
        | st.dictionaries(st.text() | st.integers(), items, max_size=4)
    ),
    max_leaves=8,
)


def assert_same(one: Any, two: Any) -> None:
    assert type(one) is type(two)
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
    elif isinstance(one, list | tuple):
        for first, second in zip(one, two, strict=True):
            assert_same(first, second)
    elif isinstance(one, dict):
        assert_same(list(one.items()), list(two.items()))
    else:
        assert one == two or (math.isnan(one) and math.isnan(two))


@given(value=VALUES)
def test_values_come_back(value: Any) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {}
    text = json.dumps(pack("value", value, arrays), allow_nan=False)
    assert all(array.flags.c_contiguous for array in arrays.values())
    assert_same(unpack(json.loads(text), arrays.__getitem__), value)


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), st.floats() | st.none())))
def test_histories_come_back(rows: list[dict[str, Any]]) -> None:
    history = History()
    for row in rows:
        history.append(**{k: v for k, v in row.items() if v is not None})
    arrays: dict[str, npt.NDArray[Any]] = {}
    packed = pack("history_", history, arrays)
    again = unpack(json.loads(json.dumps(packed)), arrays.__getitem__)
    assert again == history or not history.columns


@pytest.mark.parametrize(
    "value",
    [object(), print, {1: print}, np.array([None]), np.ones(2, complex), str, 1j],
)
def test_values_that_cannot_be_written(value: Any) -> None:
    with pytest.raises(TypeError, match=r"thing.* is .* of type"):
        pack("thing", value, {})
