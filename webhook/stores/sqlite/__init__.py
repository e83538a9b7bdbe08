"""The Store port on one SQLite file, shared by the processes of one host."""
