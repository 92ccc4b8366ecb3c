"""The domain's values, its errors and its ports; imports nothing of ours."""
