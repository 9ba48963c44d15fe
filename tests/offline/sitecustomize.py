"""No network for this process, nor for any that it starts, where this folder is on PYTHONPATH:
Python imports a module of this name before it runs anything else.

Every connection and every look-up of a host is refused as a machine without a network refuses
it, and noted in the file that NETWORK_NOTES names, so that one whose error is swallowed shows
too.
"""

import errno
import os
import sys
from pathlib import Path

NOTES = Path(os.environ["NETWORK_NOTES"])
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")


def refuse(event: str, arguments: tuple) -> None:
    # The address of a socket between the processes of this machine is a path, no tuple.
    if event in LOOKUPS or (event in SENDING and isinstance(arguments[1], tuple)):
        with NOTES.open("a") as notes:
            notes.write(f"{event} {arguments} by {sys.orig_argv}\n")
        raise OSError(errno.ENETUNREACH, "there is no network here")


sys.addaudithook(refuse)
