"""Environment variables and the catalog file, checked as a whole."""
