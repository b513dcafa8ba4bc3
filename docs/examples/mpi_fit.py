"""Fit topics on an HPC allocation.

    mpirun -n 4 python mpi_fit.py

Rank 0 becomes the scheduler, rank 1 goes on with this script, the others are workers.
Give ``initialize`` the fast network, as in ``interface="ib0"``, and let each rank have
as many cores as threads (Open MPI: ``--map-by slot:PE=2``).
"""

from dask.distributed import Client
from dask_mpi import initialize

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus


def main() -> None:
    """Start the cluster on all ranks, and fit."""
    initialize(nthreads=1, dashboard=False)
    corpus = make_corpus(4000, n_topics=10, random_state=0)
    with Client() as client:
        client.wait_for_workers(1)
        model = DPSVILatentDirichletAllocation(10, random_state=0)
        model.fit(corpus, client=client)
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        print(f"{workers} workers, {model.history_['documents'][-1]:.0f} documents")
        print(f"perplexity {model.perplexity(corpus):.1f}")


if __name__ == "__main__":
    main()
