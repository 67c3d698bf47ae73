"""The explorer: one page in which the latent space is touched, with the network running inside it."""

from pathlib import Path

FOLDER = Path(__file__).parent
