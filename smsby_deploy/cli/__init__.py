"""The command line, one file per command: options in, a call, output, an exit code."""
