"""HSA2C: one gradient of one theta, the family of the paper, snapshots and merges."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_environments import Bandit, Endless, Identity  # noqa: E402

from dpsvi.engine import Master, Plan, Snapshot, run  # noqa: E402
from dpsvi.engine.backends.simulated import Simulated  # noqa: E402
from dpsvi.rl.environments import make, spec_of  # noqa: E402
from dpsvi.rl.hsa2c import HSA2CProblem, ModelParameters, Movement  # noqa: E402
from dpsvi.rl.networks import network_for  # noqa: E402
from dpsvi.rl.optimisers import OptimiserSettings  # noqa: E402
from dpsvi.rl.policy import Policy  # noqa: E402
from dpsvi.rl.settings import Settings  # noqa: E402
from dpsvi.rl.tally import count  # noqa: E402
from dpsvi.rl.torch_threads import one_torch_thread  # noqa: E402

SGD = OptimiserSettings("sgd")


def problem(
    env: Any = Identity, keep_statistics: bool = False, **settings: Any
) -> HSA2CProblem:
    settings = {
        "n_environments": 4,
        "n_steps": 5,
        "optimiser": SGD,
        "learning_rate": 0.1,
        "total_local_steps": 1000,
        **settings,
    }
    given = Settings(**settings)
    return HSA2CProblem(env, spec_of(env), given, None, keep_statistics)


def adam(rate: float = 1e-2, **more: Any) -> dict[str, Any]:
    optimiser = OptimiserSettings("adam", decay=0.999)
    return {"optimiser": optimiser, "learning_rate": rate, **more}


def share_right(weights: Any, env: Any = Identity, n: int = 300) -> float:
    policy = Policy.from_vector(weights, spec_of(env))
    states = np.arange(n) % Identity.n_states
    seen = np.eye(Identity.n_states, dtype=np.float32)[states]
    return float(np.mean(policy.act(seen, deterministic=True) == states))


def replayed(asked: HSA2CProblem, plan: Plan, log: Any) -> Any:
    """Alg. 6 and 7 (Alg. 8 and 9 with B = 1), line by line, from the order of pushes.

    theta_t are the master's parameters; worker m pushes the gradient of the theta that
    it had pulled, M of them are averaged or added up.
    """
    first, seeds = plan.seeds()
    theta = asked.initial_parameters(np.random.default_rng(first)).weights
    thetas, gradients = [theta.copy()], []
    workers = [
        asked.open_actor(network_for(asked.spec), seed.spawn(1)[0]) for seed in seeds
    ]
    velocity = np.zeros_like(theta)
    for arrival in log:
        gradient = workers[arrival.worker].differentiate(thetas[arrival.based_on])
        gradients.append(gradient.copy())
        if len(gradients) == plan.merge_size:
            rho = 1.0 / plan.merge_size if plan.aggregate == "mean" else 1.0
            step = -rho * asked.settings.learning_rate * np.sum(gradients, axis=0)
            velocity = asked.settings.momentum * velocity + step
            thetas.append(thetas[-1] + velocity)
            gradients = []
    return thetas[-1]


FAMILY = {
    "A2C": ({}, {}),
    "DA3C": ({"n_workers": 2, "master_batch_size": 1}, {}),
    "DA3C with momentum": ({"n_workers": 2, "master_batch_size": 1}, {"momentum": 0.5}),
    "DA3C, sums of two": ({"n_workers": 3, "master_batch_size": 2}, {}),
    "DDRL A3C": ({"n_workers": 2, "synchronous": True, "aggregate": "mean"}, {}),
}


@pytest.mark.parametrize("name", FAMILY)
def test_the_family_of_the_paper_by_parameters_alone(name: str) -> None:
    layout, settings = FAMILY[name]
    plan = Plan(total_steps=24, seed=3, keep_log=True, **layout)
    asked = problem(**settings)
    order = [0, 1, 1, 0, 2][: max(1, 2 * plan.n_workers - 1)]
    order = [worker for worker in order if worker < plan.n_workers]
    result = run(asked, [None] * plan.n_workers, plan, backend=Simulated(order))
    with one_torch_thread():
        expected = replayed(asked, plan, result.log)
        unmoved = replayed(asked, plan, [])
    assert result.counters.steps_merged == 24
    np.testing.assert_allclose(result.parameters.weights, expected, atol=1e-5)
    assert result.counters.merged == 20 * 24
    assert np.abs(expected - unmoved).max() > 1e-3
    if name == "DDRL A3C":
        # Every gradient is one of the current parameters, and one of each worker.
        assert not result.history["staleness_max"].any()
        pushed = np.reshape([arrival.worker for arrival in result.log], (12, 2))
        assert np.sort(pushed).tolist() == [[0, 1]] * 12


def test_a3c_threads_update_the_masters_parameters() -> None:
    easy = adam(3e-3, entropy=0.05, discount=0.0, normalise_advantages=True)
    asked = problem(n_environments=8, **easy)
    plan = Plan(total_steps=200, n_threads=2, local_steps=8, seed=0)
    start = asked.initial_parameters(np.random.default_rng(0))
    assert Master(asked, start, plan).can_share
    result = run(asked, [None], plan, parameters=start)
    assert result.parameters is start
    assert start.n_updates[0] == pytest.approx(200, abs=5)
    assert share_right(start.weights) == 1.0


def test_with_momentum_the_master_has_its_own_parameters() -> None:
    asked = problem(momentum=0.9)
    assert not Master(asked, None, Plan(total_steps=1)).can_share


def test_one_gradient_belongs_to_one_theta() -> None:
    # Another thread writes while this one acts; it must not notice before the next.
    def actor() -> Any:
        asked = problem()
        return asked.open_actor(network_for(asked.spec), np.random.SeedSequence(1))

    quiet, disturbed = actor(), actor()
    theta = problem().initial_parameters(np.random.default_rng(0)).weights
    shared, step = theta.copy(), disturbed._environments.step

    def disturbing(actions: Any) -> Any:
        shared[:] = np.nan
        return step(actions)

    disturbed._environments.step = disturbing
    with one_torch_thread():
        one = quiet.differentiate(theta)
        np.testing.assert_array_equal(disturbed.differentiate(shared), one)
    assert np.abs(one).max() > 0
    assert np.isnan(shared).all()


def test_one_thread_repeats_bit_by_bit() -> None:
    plan = Plan(total_steps=30, local_steps=4, seed=5)
    one, two = (run(problem(**adam()), [None], plan).parameters for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    other = run(problem(**adam()), [None], replace(plan, seed=6)).parameters
    assert (one.weights != other.weights).any()


def test_a_copy_does_what_sharing_does() -> None:
    # Without staleness the same, up to the rounding of the update vector.
    plan = Plan(total_steps=12, local_steps=3, seed=5)
    shared = run(problem(), [None], plan).parameters
    copied = run(problem(), [None], plan, backend="simulated").parameters
    np.testing.assert_allclose(shared.weights, copied.weights, atol=1e-5)


def local_after(asked: HSA2CProblem, shared: bool) -> Any:
    start = asked.initial_parameters(np.random.default_rng(0))
    local = asked.open_worker(None, 1, np.random.SeedSequence(2))
    assert local.request(1) is None
    given = start if shared else asked.extract(start, None)
    if not shared:
        # As they come over a network.
        for array in vars(given).values():
            array.flags.writeable = False
    local.load(Snapshot(given, 0, range(2), shared))
    local.run(0, iter(range(2)))
    return start, local, local.update()


def test_a_shared_snapshot_is_written_in_place() -> None:
    before = problem().initial_parameters(np.random.default_rng(0)).weights
    start, _, update = local_after(problem(**adam()), shared=True)
    assert update.payload is None
    assert (start.weights != before).any()
    assert start.statistics.any()
    assert start.n_updates.tolist() == [2]


def test_optimiser_statistics_stay_at_the_worker() -> None:
    start, local, update = local_after(problem(**adam()), shared=False)
    assert update.payload.statistics is None
    assert not start.statistics.any()
    # Later pulls are of the weights alone, and do not touch the statistics.
    assert local.request(1) == "weights"
    pulled = problem().extract(start, "weights")
    assert pulled.statistics.size == pulled.velocity.size == 0
    kept = local._statistics.copy()
    local.load(Snapshot(pulled, 1, range(1)))
    np.testing.assert_array_equal(local._statistics, kept)
    assert kept.any()


def test_a_checkpoint_has_them_sent_along() -> None:
    asked = problem(keep_statistics=True, **adam())
    start, local, update = local_after(asked, shared=False)
    asked.merge(start, [update.payload], [1.0])
    np.testing.assert_array_equal(start.statistics, local._statistics)
    assert start.n_updates.tolist() == [2]
    # What was pushed is not written by later rounds.
    pushed = update.payload.weights.copy()
    local.load(Snapshot(asked.extract(start, "weights"), 1, range(1)))
    local.run(0, iter(range(1)))
    np.testing.assert_array_equal(update.payload.weights, pushed)


def test_merging_is_sgd_with_momentum() -> None:
    asked = problem(momentum=0.5)
    nothing = np.zeros((0, 2), dtype=np.float32)
    parameters = ModelParameters(
        np.zeros(2, np.float32), np.zeros(2, np.float32), nothing, np.zeros(1, np.int64)
    )
    one = Movement(np.array([1.0, 2.0], np.float32), None, 0)
    asked.merge(parameters, [one, one], [0.5, 0.25])
    np.testing.assert_allclose(parameters.weights, [0.75, 1.5])
    asked.merge(parameters, [one], [1.0])
    np.testing.assert_allclose(parameters.velocity, [1.375, 2.75])
    np.testing.assert_allclose(parameters.weights, [2.125, 4.25])


def test_episodes_of_all_pushes_of_a_merge_are_counted() -> None:
    plan = Plan(total_steps=8, n_workers=2, seed=0)
    seen: list[Any] = []
    run(
        problem(n_steps=10),
        [None] * 2,
        plan,
        backend="simulated",
        monitor=lambda p: seen.append(p.statistics),
    )
    # Every local step is one whole episode in each of four copies.
    assert [count(s, "score") for s in seen] == [8] * 4
    assert [s["length"] for s in seen] == [80.0] * 4
    assert all(count(s, "entropy") == 2 for s in seen)


def test_episodes_live_on_across_rounds() -> None:
    plan = Plan(total_steps=6, seed=0)
    seen: list[Any] = []
    run(problem(), [None], plan, monitor=lambda p: seen.append(p.statistics))
    # Ten steps an episode, five a rollout, a rollout a round.
    assert [count(s, "score") for s in seen] == [0, 4, 0, 4, 0, 4]


def test_episodes_cut_short_are_worth_their_final_state() -> None:
    # A reward of 1 a step for ever is worth 10 at a discount of 0.9; were the cuts
    # after five steps taken for ends, the mean value would be below 4.
    asked = problem(
        Endless, discount=0.9, value_coefficient=1.0, entropy=0.0, **adam(1e-2)
    )
    result = run(asked, [None], Plan(total_steps=500, local_steps=50, seed=0))
    policy = Policy.from_vector(result.parameters.weights, asked.spec)
    values = policy.values(np.eye(3, dtype=np.float32))
    assert np.abs(values - 10.0).max() < 1.5


def test_a_bandit_is_learned() -> None:
    asked = problem(Bandit, n_environments=8, normalise_advantages=True, **adam())
    result = run(asked, [None], Plan(total_steps=150, local_steps=50, seed=0))
    policy = Policy.from_vector(result.parameters.weights, asked.spec)
    assert policy.act(np.ones((1, 1)), deterministic=True).tolist() == [2]


def test_the_problem_travels() -> None:
    asked = pickle.loads(pickle.dumps(problem()))
    assert asked.settings == problem().settings
    assert make(asked.env, 1).n == 1


def test_environments_are_closed_when_the_worker_is_dropped() -> None:
    local = problem().open_worker(None, 1, np.random.SeedSequence(0))
    closed: list[bool] = []

    class Watched:
        def close(self) -> None:
            closed.append(True)

    local._actors[0] = Watched()  # type: ignore[assignment]
    del local
    assert closed == [True]


@pytest.mark.parametrize("rate", [1e30, np.inf])
def test_a_divergence_is_told(rate: float) -> None:
    asked = problem(**adam(rate))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="diverged"):
        run(asked, [None], Plan(total_steps=20, seed=0))


def test_a_gradient_that_is_no_number_is_not_written() -> None:
    asked = problem()
    local = asked.open_worker(None, 1, np.random.SeedSequence(2))
    start = asked.initial_parameters(np.random.default_rng(0))
    before = start.weights.copy()
    local.load(Snapshot(start, 0, range(1), shared=True))
    actor = local._actor(0)
    learn = actor._learn

    def spoiled(*given: Any) -> Any:
        answers = learn(*given)
        actor.gradient[3] = np.nan
        return answers

    actor._learn = spoiled  # type: ignore[assignment]
    with pytest.raises(FloatingPointError, match="norm nan"):
        local.run(0, iter(range(1)))
    np.testing.assert_array_equal(start.weights, before)


def test_a_worker_that_joins_late_begins_with_small_steps() -> None:
    # Its statistics are as young as those of the first were.
    asked = problem(warm_up=100)
    moved = []
    for begin in (0, 500):
        start = asked.initial_parameters(np.random.default_rng(0))
        local = asked.open_worker(None, 1, np.random.SeedSequence(2))
        local.load(Snapshot(asked.extract(start, None), 0, range(begin, begin + 1)))
        local.run(0, iter(range(begin, begin + 1)))
        moved.append(local.update().payload.weights)
    np.testing.assert_array_equal(*moved)
    assert np.abs(moved[0]).max() > 0


def test_units_are_not_dropped_out() -> None:
    class Dropping(torch.nn.Module):
        def __init__(self, spec: Any) -> None:
            super().__init__()
            self.body = torch.nn.Sequential(
                torch.nn.Linear(*spec.observation_shape, 8), torch.nn.Dropout(0.5)
            )
            self.heads = torch.nn.Linear(8, spec.n_actions + 1)

        def forward(self, seen: Any) -> Any:
            found = self.heads(self.body(seen))
            return found[:, :-1], found[:, -1]

    plan = Plan(total_steps=10, seed=5)
    one, two = (
        run(replace(problem(), network=Dropping), [None], plan).parameters.weights
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_torch_has_its_threads_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(problem(), [None], Plan(total_steps=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
