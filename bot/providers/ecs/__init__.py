"""AWS ECS, behind the ``Rollouts`` port."""
