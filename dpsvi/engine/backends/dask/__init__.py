"""Master in the scheduler of a Dask cluster, one worker per Dask worker.

================  ==============================================================
`Dask`            the backend: opens a session, starts the loops, watches
`MasterHandle`    the client's proxy of the master: an actor's surface
`MasterHost`      the plugin that keeps masters in the scheduler's process
`work_loop`       the long task that is one asynchronous worker
================  ==============================================================

The master is an actor hosted in the scheduler's process: a `SchedulerPlugin` with
remote procedure calls. It is not a `dask.distributed.Actor`, which lives on a worker
and dies with it.
"""

from dpsvi.engine.backends.dask.backend import Dask
from dpsvi.engine.backends.dask.handle import MasterHandle
from dpsvi.engine.backends.dask.host import MasterHost

__all__ = ["Dask", "MasterHandle", "MasterHost"]
