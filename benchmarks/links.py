"""A network on one machine: hosts in namespaces, each with a slow link to a switch.

Needs root, Linux, and the programs ``ip`` and ``tc`` (Debian's package iproute2).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

__all__ = ["Star", "why_not"]

_SUBNET = "10.213.77"


def why_not() -> str:
    """Return why this machine cannot make such a network; empty if it can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [name for name in ("ip", "tc") if shutil.which(name) is None]
    return f"{' and '.join(missing)} missing: install iproute2" if missing else ""


class Star:
    """Some hosts around a switch; the machine itself is at the switch.

    Parameters
    ----------
    n_hosts : int
        How many.
    megabits : float
        What a link carries per second, each way.

    Attributes
    ----------
    addresses : list of str
        Of the hosts.
    """

    def __init__(self, n_hosts: int, megabits: float) -> None:
        self.addresses = [f"{_SUBNET}.{1 + i}" for i in range(n_hosts)]
        self._megabits = megabits
        self._switch = f"sw{os.getpid()}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            _do(f"ip link add {self._switch} type bridge")
            _do(f"ip addr add {_SUBNET}.254/24 dev {self._switch}")
            _do(f"ip link set {self._switch} up")
            for host, address in enumerate(self.addresses):
                self._add_host(host, address)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def start(self, host: int, *command: str, **environment: str) -> None:
        """Start a program on a host; it is ended with the network."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._name(host), *command],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        self._processes.append(process)

    def _name(self, host: int) -> str:
        return f"host{host}-{os.getpid()}"

    def _add_host(self, host: int, address: str) -> None:
        name, outside = self._name(host), f"p{host}x{os.getpid()}"
        _do(f"ip netns add {name}")
        _do(f"ip link add {outside} type veth peer name eth0 netns {name}")
        _do(f"ip link set {outside} master {self._switch} up")
        _do(f"ip -n {name} addr add {address}/24 dev eth0")
        _do(f"ip -n {name} link set eth0 up")
        _do(f"ip -n {name} link set lo up")
        # One bucket for each way; large enough that a tick of the kernel's fills it.
        shape = f"root tbf rate {self._megabits}mbit burst 512kb latency 50ms"
        _do(f"tc qdisc add dev {outside} {shape}")
        _do(f"tc -n {name} qdisc add dev eth0 {shape}")

    def _remove(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for host in range(len(self.addresses)):
            _do(f"ip netns del {self._name(host)}", check=False)
        _do(f"ip link del {self._switch}", check=False)


def _do(command: str, *, check: bool = True) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{command!r} failed: {done.stderr.strip()}")
