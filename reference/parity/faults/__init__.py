"""Known bugs of ports, seeded one at a time: a parity suite that cannot fail proves nothing.

print(reference.parity.faults.measure(backend="mlx"))

They are sorted by the ports' rooms, a file each. What goes wrong above the ports is in
reference.parity.faults.pipelines.
"""

from reference.parity.faults.fault import Code, Fault
from reference.parity.faults.known import FAULTS
from reference.parity.faults.measure import Finding, Findings, RandomGrounds, measure, seed

__all__ = ["FAULTS", "Code", "Fault", "Finding", "Findings", "RandomGrounds", "measure", "seed"]
