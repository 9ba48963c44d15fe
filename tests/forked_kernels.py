"""A plugin of pytest: notebooks run in kernels that are forked from a process which has
imported what nearly every page needs. It takes a new process some seconds each time.

Nothing but the time differs: a page still has to import what it uses, and no library has
computed before the fork."""

import multiprocessing
import os
import sys
import time
from typing import Any

from ipykernel import kernelapp
from jupyter_client.provisioning import local_provisioner

FORKS = multiprocessing.get_context("forkserver")
# Not Matplotlib, which asks on import where its figures go: a kernel says so when it starts.
IMPORTED = [
    "ipykernel.kernelapp",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.modernbert.modeling_modernbert",
    "sentence_transformers",
]


class Kernel(FORKS.Process):
    """A kernel, with what jupyter_client asks of a subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(self, command: list[str], env: dict[str, str], cwd: str, **_: Any) -> None:
        arguments = command[command.index("ipykernel_launcher") + 1 :]
        super().__init__(target=be_a_kernel, args=(arguments, env, cwd))
        self.start()
        # Signals go to its group, which must not be ours.
        while self.is_alive() and os.getpgid(self.pid) != self.pid:
            time.sleep(0.01)

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def be_a_kernel(arguments: list[str], env: dict[str, str], cwd: str) -> None:
    os.setsid()
    multiprocessing.current_process().name = "MainProcess"  # libraries ask if it is a worker
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    kernelapp.launch_new_instance(arguments)


def pytest_configure() -> None:
    if sys.platform == "linux":  # what macOS's own libraries start does not survive a fork
        FORKS.set_forkserver_preload(IMPORTED)
        local_provisioner.launch_kernel = Kernel
