"""Fit topics inside a SLURM job, without MPI.

    srun -n 8 python slurm_fit.py

One task becomes the scheduler, one goes on with this script, the others are workers.
They find one another through a file, so the working folder must be a shared one.
"""

from dask.distributed import Client
from dask_jobqueue.slurm import SLURMRunner

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus


def main() -> None:
    """Start the cluster on all tasks, and fit."""
    with (
        SLURMRunner(scheduler_file="scheduler-{job_id}.json") as runner,
        Client(runner) as client,
    ):
        client.wait_for_workers(runner.n_workers)
        corpus = make_corpus(4000, n_topics=10, random_state=0)
        model = DPSVILatentDirichletAllocation(10, random_state=0)
        model.fit(corpus, client=client)
        print(f"perplexity {model.perplexity(corpus):.1f}")


if __name__ == "__main__":
    main()
