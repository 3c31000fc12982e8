"""Chapter 2 of the tour: the same network trained under five rules for its weights, and the toy problem that explains them."""
