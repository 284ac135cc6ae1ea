"""AWS Lambda: three entry points over the same reconcile.

    tick      a schedule: looks the fleet over, does what is due or queues it
    work      an SQS queue: reconciles the secrets that a tick found due
    native    Secrets Manager's own rotation: its four steps

    events       what AWS sends, parsed strictly
    invocation   one call of a handler: its time, its figures, what it may raise; what a warm container keeps
    emf          the figures, as CloudWatch reads them from standard output

No decision is made here. Nothing is raised but our own errors, and nothing returned but counts.
"""

from rotator.lambda_handlers.consumer import work
from rotator.lambda_handlers.rotation import native
from rotator.lambda_handlers.schedule import tick

__all__ = ["native", "tick", "work"]
