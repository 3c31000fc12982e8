"""
2. Convolution: one form, three gradients
=========================================

*What you will do:* see that a convolution and its gradients for the image and for the filter are three views of one
sum, look at what each of them computes on a real picture, and use the second derivative.

*What you need:* walkthrough 1.  Runs in about two seconds:  ``python docs/walkthroughs/02_convolution.py``
"""

# %%
# A filter slides
# ---------------
# At every place the filter is laid on the image, what meets is multiplied, and the products are added up.

import os
from pathlib import Path

import numpy as np

import minidl
from minidl.ops import conv2d
from visual.engine import draw_convolution
from visual.style import panels, save, style

figures = Path(os.environ.get("MINIDL_FIGURES", "figures"))
image = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 0], [0, 2, 2, 0]])
edge = np.array([[-1, 1], [-1, 1]])
save(draw_convolution(image, edge, at=(1, 1)).figure, figures / "02_step.png")

# %%
# One sum
# -------
# Write y[i,j] = Σ x[i+k, j+l] · w[k,l], and ask what the loss does when every output is pushed by g[i,j]:
#
#     T(x, w, g) = Σ  x[i+k, j+l] · w[k, l] · g[i, j]          over all i, j, k, l
#
# T is **linear in each of its three arguments**.  Leave one out, and what multiplies it is an array of its shape:


def form(x, w, g):
    """The three partial derivatives of T, in four loops: (∂T/∂g, ∂T/∂x, ∂T/∂w)."""
    by_g, by_x, by_w = np.zeros(g.shape), np.zeros(x.shape), np.zeros(w.shape)
    for i, j in np.ndindex(g.shape):
        for k, l in np.ndindex(w.shape):
            by_g[i, j] += x[i + k, j + l] * w[k, l]  # the convolution itself
            by_x[i + k, j + l] += w[k, l] * g[i, j]  # its gradient for the image
            by_w[k, l] += x[i + k, j + l] * g[i, j]  # its gradient for the filter
    return by_g, by_x, by_w


rng = np.random.default_rng(0)
x, w, g = rng.standard_normal((6, 5)), rng.standard_normal((3, 2)), rng.standard_normal((4, 4))
y, grad_x, grad_w = form(x, w, g)
print("T three times:", (y * g).sum().round(12), (x * grad_x).sum().round(12), (w * grad_w).sum().round(12))

# %%
# The three numbers agree, because each is the whole sum again.  This *adjoint identity* tests any convolution code with
# one line and no reference.  `minidl.ops.conv` is the same for many images, channels, strides and groups:

tx, tw = minidl.Tensor(x[None, :, :, None], True), minidl.Tensor(w[None, :, :, None], True)  # NHWC and OHWI
conv2d(tx, tw).backward(g[None, :, :, None])
assert np.allclose(tx.grad.numpy().squeeze(), grad_x) and np.allclose(tw.grad.numpy().squeeze(), grad_w)

# %%
# On a real picture
# -----------------
# Forward finds edges.  The image gradient of **one** output pixel is the filter, stamped where that pixel looked.

shoe = minidl.Tensor(minidl.data.load("fashion-mnist-mini").images[:1].astype(np.float32) / 255, requires_grad=True)
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
filters = minidl.Tensor(np.stack([sobel, sobel.T])[..., None])  # (2, 3, 3, 1)
edges = conv2d(shoe, filters, padding=1)  # (1, 28, 28, 2)
stamp = minidl.grad(edges[0, 9, 12, 0], shoe)
pictures = {
    "image": shoe.data[0, :, :, 0],
    "left to right": edges.data[0, :, :, 0],
    "top to bottom": edges.data[0, :, :, 1],
    "gradient of one output": stamp.data[0, :, :, 0],
}
with style():
    figure, axes = panels(1, 4, size=(9, 2.6))
    for ax, (title, picture) in zip(axes.flat, pictures.items(), strict=True):
        bound = np.abs(picture).max()
        ax.imshow(picture, cmap="RdBu", vmin=-bound, vmax=bound)
        ax.set_title(title)
        ax.axis("off")
save(figure, figures / "02_edges.png")

# %%
# Twice differentiated
# --------------------
# ∂T/∂x is again linear in w and g, so **its** derivatives are the other two views: convolution is closed under
# differentiation, to any order.  With the loss L = ½ |conv(x, w)|² the Hessian for the filter is exact and small:

filter9 = minidl.Tensor(rng.standard_normal((1, 3, 3, 1)).astype(np.float32), requires_grad=True)


def loss():
    y = conv2d(shoe, filter9)
    return (y * y).sum() * 0.5


hessian = np.stack([minidl.hvp(loss, [filter9], [unit])[0].data.ravel() for unit in np.eye(9).reshape(9, 1, 3, 3, 1)])
patches = np.lib.stride_tricks.sliding_window_view(shoe.data[0, :, :, 0], (3, 3)).reshape(-1, 9)
assert np.allclose(hessian, patches.T @ patches, rtol=1e-5)  # in closed form: how alike are two pixels of a patch?

# %%
# Its eigenvectors are filters: the first is the change that the loss feels most, the last the one it feels least.  A
# network trained on pictures learns the first in a few steps and waits long for the last.

curvature, filters = np.linalg.eigh(hessian)
with style():
    figure, axes = panels(1, 9, size=(9, 1.7))
    for ax, value, direction in zip(axes.flat, curvature[::-1], filters.T[::-1], strict=True):
        ax.imshow(direction.reshape(3, 3), cmap="RdBu", vmin=-0.7, vmax=0.7)
        ax.set_title(f"{value:,.0f}", fontsize=9)
        ax.axis("off")
    figure.suptitle("filters by curvature of the loss, steepest first", x=0.01, ha="left", fontsize=10)
save(figure, figures / "02_eigenfilters.png")
print(f"the steepest direction curves {curvature[-1] / curvature[0]:.0f} times as much as the flattest")

# %%
# Try this
# --------
# 1. Give `form` a stride.  Which index changes?  Does the adjoint identity still hold?
# 2. Blur the shoe before taking the Hessian.  What happens to the ratio of the curvatures, and why?
# 3. Swap the roles: for which image x does a given filter answer most?  (∂T/∂x of what?)
