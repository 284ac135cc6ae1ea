"""AWS Lambda: three entry points over the same reconcile.

    tick      a schedule: looks the fleet over, does what is due or queues it
    work      an SQS queue: reconciles the secrets that a tick found due
    native    Secrets Manager's own rotation: its four steps

    events          what AWS sends, parsed strictly
    invocation      one call of a handler: its time, its figures, what it may raise; what a warm container keeps
    configuration   where the configuration lies
    queue           sending what is due
    emf             the figures, as CloudWatch reads them from standard output

No decision is made here. Nothing is raised but our own errors, and nothing returned but counts.
"""

import gc

# Importing makes many objects and no garbage: looking for some takes a tenth of a cold start.
gc.disable()

from rotator.lambda_handlers.consumer import work  # noqa: E402 - collection is off from here
from rotator.lambda_handlers.rotation import native  # noqa: E402 - as above
from rotator.lambda_handlers.schedule import tick  # noqa: E402 - as above
from rotator.wiring.process import close_up  # noqa: E402 - as above

close_up()
gc.freeze()
gc.enable()

__all__ = ["native", "tick", "work"]
