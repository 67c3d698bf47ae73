"""How what was learned is shown: figures, one function per picture, and the page that tells the story.

What belongs here: everything that is looked at. What is measured is the business of ``analysis``; the figure
functions take its results, and work in a notebook as they do in a report.
"""

from latentmap.report.figures import (
    CodeMap,
    embedding,
    generated,
    interpolation,
    latent_grid,
    pca,
    reconstructions,
    training,
    tsne,
)
