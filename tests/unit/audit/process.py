"""A process of its own that records runs, for tests that need one to die or to race.

    python -m tests.unit.audit.process DIRECTORY IDS RUNS ENDING

It waits for a line on its standard input, records RUNS rotations, says so, and then ends as given:
`close`, or `hang` in the middle of two more runs until it is killed.
"""

import sys
from pathlib import Path

from rotator.model.events import Operation
from tests.unit.audit.builders import ARN, a_trail, an_intent, an_outcome, record_rotation


def main() -> None:
    """Record, and end as given."""
    directory, ids, runs, ending = sys.argv[1:]
    sys.stdin.readline()
    trail = a_trail(Path(directory), ids=ids)
    for _ in range(int(runs)):
        record_rotation(trail)
    if ending == "hang":
        creating, promoting = trail.begin("creating", ARN), trail.begin("promoting", ARN)
        creating.record(an_intent(Operation.CREATE_KEY))
        promoting.record(an_intent(Operation.VERIFY_KEY))
        promoting.record(an_outcome(Operation.VERIFY_KEY))
        promoting.record(an_intent(Operation.PROMOTE))
    else:
        trail.close()
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
