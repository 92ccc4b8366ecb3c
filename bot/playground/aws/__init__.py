"""A local AWS over its own wire protocols: ECS, ECR, STS, load balancing and CloudWatch.

boto3 pointed at it with ``AWS_ENDPOINT_URL`` works unchanged. Time is virtual, so that a rollout
of minutes takes a moment and the same seed gives the same run. ``World`` is the way in.
"""

from bot.playground.aws.records import Behaviour
from bot.playground.aws.tasks import Timings
from bot.playground.aws.world import World

__all__ = ["Behaviour", "Timings", "World"]
