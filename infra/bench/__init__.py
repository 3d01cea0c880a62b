"""What the project promises, measured on this machine: `python -m infra.bench`."""
