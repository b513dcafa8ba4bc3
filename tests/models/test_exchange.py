"""Topics that go to other libraries and come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.exceptions import NotFittedError
from small_corpora import make_counts, make_model

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import Corpus, make_corpus
from dpsvi.models.lda import exchange

CORPUS = make_corpus(300, n_words=60, n_topics=4, random_state=0)
NEW = make_corpus(100, n_words=60, n_topics=4, random_state=1).counts
FITTED = make_model(4, batch_size=64, max_iter=5).fit(CORPUS)


def l1(one: Any, two: Any) -> float:
    return float(np.abs(one - two).sum(axis=1).mean())


def pairs(counts: Any) -> list[list[tuple[int, int]]]:
    return [
        [(int(w), int(c)) for w, c in zip(row.indices, row.data, strict=True)]
        for row in (counts[[d]] for d in range(counts.shape[0]))
    ]


# scikit-learn.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scikit_learn_infers_the_same_topics(dtype: str) -> None:
    model = make_model(4, max_iter=5, dtype=dtype).fit(CORPUS)
    other = model.to_sklearn()
    assert isinstance(other, LatentDirichletAllocation)
    assert other.components_.dtype == dtype
    np.testing.assert_array_equal(other.components_, model.components_)
    assert l1(other.transform(NEW), model.transform(NEW)) < 1e-3


def test_scikit_learn_scores_the_same() -> None:
    model = make_model(4, max_iter=5, dtype="float64").fit(CORPUS)
    expected = model.score(NEW, include_topics_term=True)
    np.testing.assert_allclose(model.to_sklearn().score(NEW), expected, rtol=1e-3)


def test_parameters_go_with_the_topics() -> None:
    model = make_model(3, doc_topic_prior=0.2, batch_size="auto", n_jobs=2)
    other = model.fit(make_counts()).to_sklearn()
    assert other.doc_topic_prior_ == other.doc_topic_prior == 0.2
    assert other.batch_size == LatentDirichletAllocation().batch_size
    assert other.n_jobs is None
    assert other.learning_decay == 0.7
    assert other.random_state == 0
    assert other.n_iter_ == 3
    assert other.bound_ == model.bound_


def test_scikit_learn_goes_on_and_leaves_the_model_alone() -> None:
    model = make_model(3).fit(make_counts())
    before = model.components_.copy()
    state = model.random_state_.get_state()[1].copy()
    other = model.to_sklearn()
    steps = other.n_batch_iter_
    other.partial_fit(make_counts(seed=1))
    assert other.n_batch_iter_ > steps
    np.testing.assert_array_equal(model.components_, before)
    np.testing.assert_array_equal(model.random_state_.get_state()[1], state)


def test_a_vector_prior_is_nothing_for_scikit_learn() -> None:
    model = make_model(3, doc_topic_prior=[0.1, 0.2, 0.3]).fit(make_counts())
    with pytest.raises(ValueError, match=r"doc_topic_prior_ .*one value for all"):
        model.to_sklearn()
    alike = make_model(3, doc_topic_prior=np.full(3, 0.2)).fit(make_counts())
    assert alike.to_sklearn().doc_topic_prior_ == 0.2


def test_priors_that_were_learned_go_too() -> None:
    model = make_model(3, topic_word_prior="auto").fit(make_counts())
    other = model.to_sklearn()
    assert other.topic_word_prior == other.topic_word_prior_ == model.topic_word_prior_
    seeded = make_model(3, topic_word_prior={0: [3]}).fit(make_counts())
    with pytest.raises(ValueError, match=r"topic_word_prior_ .*one value for all"):
        seeded.to_sklearn()
    sums = seeded.to_pyldavis()["doc_lengths"]
    counted = seeded.components_ - seeded.topic_word_prior_
    np.testing.assert_allclose(sums, counted.sum(axis=1, dtype=float), rtol=1e-5)


@pytest.mark.parametrize("learning_method", ["online", "batch"])
def test_topics_come_from_scikit_learn(learning_method: str) -> None:
    pd = pytest.importorskip("pandas")
    words = [f"word{w}" for w in range(60)]
    other = LatentDirichletAllocation(
        4, learning_method=learning_method, random_state=0, max_iter=4
    ).fit(pd.DataFrame(CORPUS.counts.toarray(), columns=words))
    model = DPSVILatentDirichletAllocation.from_sklearn(other)
    table = pd.DataFrame(NEW.toarray(), columns=words)
    assert l1(other.transform(table), model.transform(table)) < 1e-3
    assert model.feature_names_in_.tolist() == words
    assert model.get_params()["learning_method"] == learning_method
    assert model.n_iter_ == 4
    assert model.bound_ == other.bound_
    model.partial_fit(table)
    assert model.n_batch_iter_ > other.n_batch_iter_


def test_there_and_back_is_nothing() -> None:
    again = DPSVILatentDirichletAllocation.from_sklearn(FITTED.to_sklearn())
    np.testing.assert_array_equal(again.transform(NEW), FITTED.transform(NEW))
    np.testing.assert_array_equal(again.components_, FITTED.components_)


def test_what_comes_from_elsewhere_is_saved_too(tmp_path: Any) -> None:
    other = LatentDirichletAllocation(3, random_state=0).partial_fit(make_counts())
    model = DPSVILatentDirichletAllocation.from_sklearn(other)
    assert np.isnan(model.bound_)
    model.save(tmp_path / "model")
    again = DPSVILatentDirichletAllocation.load(tmp_path / "model")
    np.testing.assert_array_equal(
        again.transform(make_counts()), model.transform(make_counts())
    )


def test_only_fitted_models_of_scikit_learn() -> None:
    with pytest.raises(NotFittedError):
        DPSVILatentDirichletAllocation.from_sklearn(LatentDirichletAllocation())
    with pytest.raises(TypeError, match="type dict; give a fitted"):
        DPSVILatentDirichletAllocation.from_sklearn({})
    with pytest.raises(NotFittedError):
        make_model().to_sklearn()


# gensim.


@pytest.fixture
def gensim() -> Any:
    return pytest.importorskip("gensim")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("prior", [None, [0.1, 0.2, 0.3, 0.4]])
def test_gensim_has_the_same_topics(gensim: Any, dtype: str, prior: Any) -> None:
    given: dict[str, Any] = {"mean_change_tol": 1e-4, "max_doc_update_iter": 500}
    model = make_model(4, doc_topic_prior=prior, dtype=dtype, **given).fit(CORPUS)
    other = model.to_gensim()
    topics = model.components_ / model.components_.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(other.get_topics(), topics, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        other.alpha, np.broadcast_to(model.doc_topic_prior_, 4), rtol=1e-6
    )
    rows = [
        [share for _, share in other.get_document_topics(document, 0.0)]
        for document in pairs(NEW)
    ]
    assert l1(np.array(rows), model.transform(NEW)) < 1e-2
    words = model.feature_names_in_.tolist()
    assert other.show_topic(0, 1)[0][0] == model.topics(1)[0][0][0]
    assert [other.id2word[w] for w in range(60)] == words


def test_gensim_has_the_same_seed_words(gensim: Any) -> None:
    model = make_model(2, topic_word_prior={0: [3]}).fit(make_counts())
    other = model.to_gensim()
    np.testing.assert_allclose(other.eta, model.topic_word_prior_, rtol=1e-6)
    again = DPSVILatentDirichletAllocation.from_gensim(other)
    np.testing.assert_allclose(again.components_, model.components_, rtol=1e-5)
    np.testing.assert_allclose(again.topic_word_prior_, other.eta, rtol=1e-6)


def test_gensim_goes_on(gensim: Any) -> None:
    documents = pairs(CORPUS.counts)
    other = FITTED.to_gensim()
    assert other.num_updates == 1500
    assert other.state.numdocs == 300
    before = other.log_perplexity(documents)
    other.update(documents)
    assert other.log_perplexity(documents) > before - 0.05


def test_gensim_takes_names(gensim: Any) -> None:
    model = make_model().fit(make_counts())
    assert model.to_gensim().id2word[7] == "7"
    names = {w: f"w{w}" for w in range(20)}
    assert model.to_gensim(names).show_topic(0, 1)[0][0].startswith("w")
    with pytest.raises(ValueError, match=r"19 words, and the model 20"):
        model.to_gensim({w: f"w{w}" for w in range(19)})
    with pytest.raises(ValueError, match="another way"):
        FITTED.to_gensim({w: f"w{w}" for w in range(60)})


@pytest.mark.parametrize("eta", [None, "auto"])
def test_topics_come_from_gensim(gensim: Any, eta: Any) -> None:
    corpus = [
        [f"w{w}" for w, c in document for _ in range(c)] for document in pairs(NEW)
    ]
    dictionary = gensim.corpora.Dictionary(corpus)
    documents = [dictionary.doc2bow(words) for words in corpus]
    other = gensim.models.LdaModel(
        documents,
        num_topics=4,
        id2word=dictionary,
        alpha="asymmetric",
        eta=eta,
        random_state=0,
        passes=3,
        gamma_threshold=1e-4,
        iterations=500,
    )
    model = DPSVILatentDirichletAllocation.from_gensim(other)
    np.testing.assert_allclose(model.components_, other.state.get_lambda(), rtol=1e-6)
    assert model.feature_names_in_[5] == dictionary[5]
    prior = np.broadcast_to(model.topic_word_prior_, model.components_.shape)
    np.testing.assert_allclose(prior, np.broadcast_to(other.eta, prior.shape))
    np.testing.assert_allclose(model.doc_topic_prior_, other.alpha)
    rows = [
        [share for _, share in other.get_document_topics(document, 0.0)]
        for document in documents
    ]
    assert l1(np.array(rows), model.transform(documents)) < 1e-2
    steps = model.n_batch_iter_
    model.partial_fit(documents)
    assert model.n_batch_iter_ > steps > 1


def test_numbers_are_no_names(gensim: Any) -> None:
    other = gensim.models.LdaModel(pairs(NEW), num_topics=2, random_state=0)
    model = DPSVILatentDirichletAllocation.from_gensim(other)
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(TypeError, match="type LatentDirichletAllocation; give a"):
        DPSVILatentDirichletAllocation.from_gensim(LatentDirichletAllocation())


def test_without_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(exchange, "import_module", missing)
    with pytest.raises(ImportError, match="to_gensim needs gensim: pip install gensim"):
        FITTED.to_gensim()
    with pytest.raises(ImportError, match="from_gensim needs gensim"):
        DPSVILatentDirichletAllocation.from_gensim(None)


# pyLDAvis.


def test_sums_for_pyldavis() -> None:
    given = FITTED.to_pyldavis(CORPUS)
    counts = CORPUS.counts
    assert given["topic_term_dists"].shape == (4, 60)
    np.testing.assert_allclose(given["topic_term_dists"].sum(axis=1), 1.0)
    assert given["doc_topic_dists"].shape == (300, 4)
    np.testing.assert_allclose(given["doc_topic_dists"].sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(given["doc_lengths"], counts.sum(axis=1))
    np.testing.assert_array_equal(given["term_frequency"], counts.sum(axis=0))
    assert given["vocab"] == list(CORPUS.vocabulary or ())


def test_what_was_counted_in_fitting_stands_for_the_documents() -> None:
    model = make_model(4, learning_method="batch", max_iter=20).fit(CORPUS)
    with_documents, without = model.to_pyldavis(CORPUS), model.to_pyldavis()
    # Of a batch fit the counts are those of its last pass.
    n_tokens = CORPUS.n_tokens
    np.testing.assert_allclose(without["doc_lengths"].sum(), n_tokens, rtol=1e-4)
    np.testing.assert_allclose(
        without["term_frequency"], with_documents["term_frequency"], rtol=1e-3
    )

    def shares(given: dict[str, Any]) -> Any:
        return given["doc_lengths"] @ given["doc_topic_dists"] / n_tokens

    np.testing.assert_allclose(shares(without), shares(with_documents), atol=0.05)


def test_words_without_names() -> None:
    model = make_model().fit(make_counts())
    assert model.to_pyldavis()["vocab"] == [str(w) for w in range(20)]


@pytest.mark.parametrize("corpus", [CORPUS, None])
@pytest.mark.filterwarnings("ignore")
def test_pyldavis_takes_it(corpus: Corpus | None) -> None:
    pyldavis = pytest.importorskip("pyLDAvis")
    given = FITTED.to_pyldavis(corpus)
    page = pyldavis.prepare(**given, n_jobs=1)
    assert sorted(page.topic_order) == [1, 2, 3, 4]
    assert len(page.topic_coordinates) == 4
    assert set(page.topic_info.Term) <= set(CORPUS.vocabulary or ())
