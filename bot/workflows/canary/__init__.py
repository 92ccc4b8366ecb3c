"""A canary's life: measured, judged, and brought on or taken back, across crashes."""
