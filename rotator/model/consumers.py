"""Who keeps a key after it was read: the consumers that an entry names, and how far each has followed a promotion."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

READ_LAG = timedelta(seconds=15)
"""What starts earlier than this after a promotion may still have been given the old value."""


@dataclass(frozen=True, slots=True)
class EcsService:
    """An ECS service whose tasks are given the value when they start."""

    cluster: str
    service: str
    redeploy: bool = False
    """Whether its tasks are replaced after each promotion."""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"ecs {self.cluster}/{self.service}"


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A Lambda function that reads the value when it starts."""

    function: str
    alias: str = ""
    """Empty for the latest version."""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"lambda {self.function}" + (f":{self.alias}" if self.alias else "")


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """A service that answers with the key or the version that it holds."""

    url: str

    @property
    def name(self) -> str:
        """What people call it."""
        return f"http {self.url}"


Consumer = EcsService | LambdaFunction | HttpEndpoint


@dataclass(frozen=True, slots=True)
class Promotion:
    """What consumers are to follow: the version that became current, the key inside, and when."""

    arn: str
    version_id: str
    key_id: str
    at: datetime
    """At the latest."""


class RollOut(Enum):
    """How far one consumer has followed."""

    FOLLOWED = "has the current value"
    BEHIND = "may hold an older value"
    ROLLING = "is being deployed anew"
    STUCK = "cannot follow as it is set up"
    UNKNOWN = "cannot be asked"
    """It counts as behind."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One consumer as it was seen."""

    consumer: Consumer
    state: RollOut
    why: str = ""
    """What was seen that says so; empty where the state says it all."""

    @property
    def is_behind(self) -> bool:
        """Whether it was not seen to have the current value."""
        return self.state is not RollOut.FOLLOWED

    @property
    def text(self) -> str:
        """One clause for people."""
        return f"{self.consumer.name} {self.state.value}" + (f": {self.why}" if self.why else "")
