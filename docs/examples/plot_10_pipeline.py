"""
In a pipeline, with grid search
===============================

An `Autoencoder` is a transformer like any of scikit-learn's: it stands in pipelines, can be cloned,
and its parameters can be searched. Here the question of how many numbers a code should have is left
to the task: a classifier that sees only the codes.
"""

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from latentmap import Autoencoder

X, y = load_digits(return_X_y=True)  # rows of 64 pixels: vectors are taken as well as images
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
sizes = [2, 4, 8, 16]

# %%
# The same pipeline twice. ``y`` goes to the classifier alone; the autoencoder learns from ``X``.

searches = {
    "autoencoder": GridSearchCV(
        make_pipeline(Autoencoder("dense", epochs=12, random_state=0), KNeighborsClassifier()),
        {"autoencoder__latent_dim": sizes},
        cv=2,
    ),
    "PCA": GridSearchCV(
        make_pipeline(PCA(random_state=0), KNeighborsClassifier()),
        {"pca__n_components": sizes},
        cv=2,
    ),
}
for search in searches.values():
    search.fit(X_train, y_train)

# %%
# What cross-validation says of each size, on the training samples:

print(f"{'numbers':14}" + "".join(f"{size:>8}" for size in sizes))
for name, search in searches.items():
    scores = search.cv_results_["mean_test_score"]
    print(f"{name:14}" + "".join(f"{score:8.1%}" for score in scores))

# %%
# And the test samples, by the pipeline that won; beside it the classifier on all 64 pixels.

for name, search in searches.items():
    chosen = next(iter(search.best_params_.values()))
    print(f"{name:14}{chosen:3} numbers: {search.score(X_test, y_test):.1%}")
all_pixels = KNeighborsClassifier().fit(X_train, y_train)
print(f"{'no reduction':14}{X.shape[1]:3} numbers: {all_pixels.score(X_test, y_test):.1%}")

# %%
# A fitted pipeline shows itself:

searches["autoencoder"].best_estimator_

# %%
# **What to see:** with few numbers the codes of an autoencoder are worth more to the classifier
# than PCA's. **What to bear in mind:** the more numbers, the smaller the difference, and where the
# best size is large, PCA gives as much in a fraction of the time. A search fits one network for
# every size and fold: begin with few epochs, and fit the winner again with more.
