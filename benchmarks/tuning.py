"""The settings of the race: the shared ones, and the candidates for each system.

"Tuned" means: of `N_CANDIDATES` candidates, each trained for the same seconds, the
one with the lowest perplexity on the validation documents. Every system, ours
included, has the same number of candidates, and the first is always the shared
setting. Candidates change how a system solves the model, never the model itself:
the number of topics, alpha and eta stay.
"""

from __future__ import annotations

from typing import Any

from peers import SYSTEMS

Settings = dict[str, Any]

N_CANDIDATES = 6

SHARED: Settings = {
    "batch_size": 256,
    "learning_decay": 0.7,  # kappa
    "learning_offset": 10.0,  # tau0
    "tolerance": 1e-3,
    "max_inner": 100,
}

_SCHEDULES: list[Settings] = [
    {},
    {"batch_size": 1024},
    {"batch_size": 1024, "learning_decay": 0.6},
    {"batch_size": 2048, "learning_decay": 0.5},
]

_GENSIM: list[Settings] = [
    *_SCHEDULES,
    {"batch_size": 2000, "learning_decay": 0.5, "learning_offset": 1.0},  # defaults
    {"batch_size": 1024, "tolerance": 1e-2},
]

_TOMOTOPY: list[Settings] = [
    {},
    {"optim_interval": 10},  # learns alpha and eta, its default
    {"optim_interval": 10, "burn_in": 50},
    {"optim_interval": 50},
    {"workers": 1},
    {"workers": 1, "optim_interval": 10},
]

# The last of ours is what the package does by itself ("auto").
_DPSVI_CVB0: list[Settings] = [
    {},
    {"batch_size": 64, "learning_offset": 10.0},
    {"batch_size": 64, "learning_offset": 1.0},
    {"batch_size": 256, "learning_offset": 1.0},
    {"batch_size": 64, "learning_offset": 1.0, "learning_decay": 0.8},
    {"batch_size": "auto", "learning_offset": "auto", "learning_decay": "auto"},
]

_DPSVI_VB: list[Settings] = [
    {},
    {"batch_size": 1024, "tolerance": 1e-2},
    {"batch_size": 512, "tolerance": 1e-2},
    {"batch_size": 1024, "tolerance": 1e-2, "learning_decay": 0.6},
    {
        "batch_size": 1024,
        "tolerance": 1e-2,
        "learning_decay": 0.5,
        "learning_offset": 64.0,
    },
    {
        "batch_size": "auto",
        "tolerance": 1e-2,
        "learning_offset": "auto",
        "learning_decay": "auto",
    },
]

CANDIDATES: dict[str, list[Settings]] = {
    "dpsvi-cvb0": _DPSVI_CVB0,
    "dpsvi-vb": _DPSVI_VB,
    "sklearn": [
        *_SCHEDULES,
        {"batch_size": 4096},
        {"batch_size": 1024, "tolerance": 1e-2},
    ],
    "sklearn-1": [
        *_SCHEDULES,
        {"batch_size": 512},
        {"batch_size": 1024, "tolerance": 1e-2},
    ],
    "gensim": _GENSIM,
    "gensim-multicore": [*_GENSIM[:5], {"batch_size": 1024, "workers": 1}],
    "tomotopy": _TOMOTOPY,
    "tomotopy-partition": _TOMOTOPY,
    # Its first topics weigh more than the others': a late start keeps them too long.
    "vw": [
        {},
        {"learning_offset": 0.0},  # its default
        {"batch_size": 1024, "learning_offset": 0.0},
        {"batch_size": 1024, "learning_offset": 0.0, "learning_decay": 0.5},
        {"batch_size": 1024, "learning_offset": 0.0, "tolerance": 1e-2},
        {"learning_offset": 0.0, "tolerance": 1e-2},
    ],
    "bigartm": [
        {},
        {"batch_size": 1024},
        {"batch_size": 1024, "document_passes": 5},
        {"batch_size": 1000, "learning_offset": 1024.0},  # defaults
        {"learning_offset": 1.0, "update_every": 4},
        {"batch_size": 1024, "learning_decay": 0.5, "document_passes": 20},
    ],
    "spark": [
        *_SCHEDULES,
        {"batch_size": 2048, "learning_decay": 0.51, "learning_offset": 1024.0},
        {"batch_size": 1024, "learn_alpha": True},
    ],
}


def settings_for(system: str, candidate: Settings | None = None) -> Settings:
    """Complete settings of a system: shared, its preset, then the candidate's.

    Examples
    --------
    >>> settings_for("sklearn-1", {"batch_size": 512})["n_jobs"]
    1
    """
    return {**SHARED, **SYSTEMS[system].preset, **(candidate or {})}


def candidates(system: str) -> list[Settings]:
    """All candidates of a system, completed; the shared setting first.

    Raises
    ------
    ValueError
        If the system has more or fewer candidates than the others.
    """
    given = CANDIDATES[system]
    if len(given) != N_CANDIDATES or given[0]:
        raise ValueError(
            f"{system} has {len(given)} candidates; every system gets {N_CANDIDATES}, "
            "the first of them empty"
        )
    return [settings_for(system, candidate) for candidate in given]
