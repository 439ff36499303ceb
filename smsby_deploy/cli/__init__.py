"""The command line: one file a command; options in, a call, text out, an exit code."""
