"""The command line, one file per command: options, one call, output, exit code."""
