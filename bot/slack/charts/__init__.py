"""A canary's chart: what is to be seen on it (``series``), and how it is drawn (``drawing``)."""
