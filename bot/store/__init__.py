"""The database: tables, repositories, the audit chain."""
