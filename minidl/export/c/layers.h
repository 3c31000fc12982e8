/* The layers that networks of minidl are made of: C99, no allocation, no state, nothing but <math.h>.
 *
 * A map is an array of floats, channels last: (height, width, channels). A vector is a map of one pixel, and a linear
 * layer a convolution of it. No function changes its inputs, and an output may not overlap an input.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include <math.h>
#include <stddef.h>

#define FILTERS 8 /* that are summed together; the weights of conv2d are laid out for it */
#define PIXELS 4  /* the same: 4 x 8 sums fit the registers of SSE, AVX2 and NEON */

typedef struct {
    int height, width, channels;
} size;

typedef struct {
    int height, width;
} pair;

/* --- Windows ---------------------------------------------------------------------------------------------------- */

typedef struct {
    size in, out;
    pair kernel, stride, padding;
} sliding;

/* A window of the map: where its first pixel lies, in floats, and what of it is inside: rows and columns of the kernel
 * from the first of each pair up to the second. */
typedef struct {
    ptrdiff_t corner;
    int top, bottom, left, right;
} window;

static inline window window_of(const sliding *how, int i, int j) {
    const int row = i * how->stride.height - how->padding.height, column = j * how->stride.width - how->padding.width;
    const int below = how->in.height - row, beside = how->in.width - column;
    const window seen = {
        .corner = ((ptrdiff_t)row * how->in.width + column) * how->in.channels,
        .top = row < 0 ? -row : 0,
        .bottom = below < how->kernel.height ? below : how->kernel.height,
        .left = column < 0 ? -column : 0,
        .right = beside < how->kernel.width ? beside : how->kernel.width,
    };
    return seen;
}

/* Where pixel (ky, kx) of a window lies, if it is inside. */
static inline ptrdiff_t in_window(const sliding *how, window seen, int ky, int kx) {
    return seen.corner + ((ptrdiff_t)ky * how->in.width + kx) * how->in.channels;
}

/* --- Convolutions ----------------------------------------------------------------------------------------------- */

typedef struct {
    sliding how;
    int groups;
    int relu;            /* whether max(y, 0) is taken at the end */
    const float *weight; /* conv2d: (groups, tiles of 8 filters, kernel, channels of a group, 8), filled up with zeros;
                            depthwise: (kernel, channels) */
    const float *bias;   /* one for each filter */
} convolution;

/* y, of a sum, at its place in the map; `residual` is what is added, or NULL. */
static inline float finished(float sum, float bias, const float *residual, ptrdiff_t at, int relu) {
    const float y = sum + bias + (residual ? residual[at] : 0.0f);
    return relu && y < 0.0f ? 0.0f : y;
}

/* tile[p][k] = the sums of `pixels` neighbours in a row with 8 filters; in registers, as the counts are constants. */
static inline void sum_tile(const convolution *layer, window seen, const float *x, const float *weight, int pixels,
                            float sums[PIXELS][FILTERS]) {
    const sliding how = layer->how;
    const int depth = how.in.channels / layer->groups, step = how.stride.width * how.in.channels;
    float tile[PIXELS][FILTERS] = {{0.0f}};
    for (int ky = seen.top; ky < seen.bottom; ky++)
        for (int kx = seen.left; kx < seen.right; kx++) {
            const float *from = x + in_window(&how, seen, ky, kx);
            const float *w = weight + ((ptrdiff_t)ky * how.kernel.width + kx) * depth * FILTERS;
            for (int c = 0; c < depth; c++, w += FILTERS)
                for (int p = 0; p < pixels; p++)
                    for (int k = 0; k < FILTERS; k++) tile[p][k] += from[p * step + c] * w[k];
        }
    for (int p = 0; p < pixels; p++)
        for (int k = 0; k < FILTERS; k++) sums[p][k] = tile[p][k];
}

/* y = x * weight + bias [+ residual] [, ReLU] */
static inline void conv2d(const convolution *layer, const float *x, const float *residual, float *y) {
    const sliding *how = &layer->how;
    const int depth = how->in.channels / layer->groups, filters = how->out.channels / layer->groups;
    const ptrdiff_t tile_size = (ptrdiff_t)how->kernel.height * how->kernel.width * depth * FILTERS;
    for (int i = 0; i < how->out.height; i++)
        for (int j = 0, pixels; j < how->out.width; j += pixels) {
            const window seen = window_of(how, i, j), last = window_of(how, i, j + PIXELS - 1);
            const float *weight = layer->weight;
            pixels = j + PIXELS <= how->out.width && seen.left == last.left && seen.right == last.right ? PIXELS : 1;
            for (int first = 0; first < how->out.channels; first += filters) /* of a group */
                for (int o = 0; o < filters; o += FILTERS, weight += tile_size) {
                    const float *group = x + first / filters * depth;
                    float sums[PIXELS][FILTERS];
                    if (pixels == PIXELS)
                        sum_tile(layer, seen, group, weight, PIXELS, sums);
                    else
                        sum_tile(layer, seen, group, weight, 1, sums);
                    for (int p = 0; p < pixels; p++)
                        for (int k = 0; k < FILTERS && o + k < filters; k++) {
                            const int filter = first + o + k;
                            const ptrdiff_t at = (ptrdiff_t)(i * how->out.width + j + p) * how->out.channels + filter;
                            y[at] = finished(sums[p][k], layer->bias[filter], residual, at, layer->relu);
                        }
                }
        }
}

/* The same where each channel has one filter of its own. */
static inline void depthwise(const convolution *layer, const float *x, const float *residual, float *y) {
    const sliding *how = &layer->how;
    const int channels = how->in.channels;
    ptrdiff_t at = 0;
    for (int i = 0; i < how->out.height; i++)
        for (int j = 0; j < how->out.width; j++, at += channels) {
            const window seen = window_of(how, i, j);
            for (int c = 0; c < channels; c++) y[at + c] = 0.0f;
            for (int ky = seen.top; ky < seen.bottom; ky++)
                for (int kx = seen.left; kx < seen.right; kx++) {
                    const float *from = x + in_window(how, seen, ky, kx);
                    const float *weight = layer->weight + (ptrdiff_t)(ky * how->kernel.width + kx) * channels;
                    for (int c = 0; c < channels; c++) y[at + c] += from[c] * weight[c];
                }
            for (int c = 0; c < channels; c++)
                y[at + c] = finished(y[at + c], layer->bias[c], residual, at + c, layer->relu);
        }
}

/* y = scale x + shift [+ residual] [, ReLU], with a scale and a shift for each channel: batch norm. */
static inline void normalize(size map, const float *x, const float *scale, const float *shift, const float *residual,
                             int relu, float *y) {
    ptrdiff_t at = 0;
    for (int pixel = 0; pixel < map.height * map.width; pixel++)
        for (int c = 0; c < map.channels; c++, at++) y[at] = finished(scale[c] * x[at], shift[c], residual, at, relu);
}

/* --- Pooling ---------------------------------------------------------------------------------------------------- */

/* The largest in each window; what is beyond the edge is left out. */
static inline void max_pool(const sliding *how, const float *x, float *y) {
    for (int i = 0; i < how->out.height; i++)
        for (int j = 0; j < how->out.width; j++, y += how->out.channels) {
            const window seen = window_of(how, i, j);
            for (int c = 0; c < how->out.channels; c++) y[c] = -INFINITY;
            for (int ky = seen.top; ky < seen.bottom; ky++)
                for (int kx = seen.left; kx < seen.right; kx++) {
                    const float *from = x + in_window(how, seen, ky, kx);
                    for (int c = 0; c < how->out.channels; c++) y[c] = from[c] > y[c] ? from[c] : y[c];
                }
        }
}

/* The mean of each window; what is beyond the edge counts as zeros. */
static inline void average_pool(const sliding *how, const float *x, float *y) {
    const float share = 1.0f / (float)(how->kernel.height * how->kernel.width);
    for (int i = 0; i < how->out.height; i++)
        for (int j = 0; j < how->out.width; j++, y += how->out.channels) {
            const window seen = window_of(how, i, j);
            for (int c = 0; c < how->out.channels; c++) y[c] = 0.0f;
            for (int ky = seen.top; ky < seen.bottom; ky++)
                for (int kx = seen.left; kx < seen.right; kx++) {
                    const float *from = x + in_window(how, seen, ky, kx);
                    for (int c = 0; c < how->out.channels; c++) y[c] += from[c];
                }
            for (int c = 0; c < how->out.channels; c++) y[c] *= share;
        }
}

/* The mean of all pixels, (1, 1, channels). */
static inline void global_average(size map, const float *x, float *y) {
    const int pixels = map.height * map.width;
    for (int c = 0; c < map.channels; c++) y[c] = 0.0f;
    for (int pixel = 0; pixel < pixels; pixel++, x += map.channels)
        for (int c = 0; c < map.channels; c++) y[c] += x[c];
    for (int c = 0; c < map.channels; c++) y[c] /= (float)pixels;
}

/* --- Element by element, n of them ------------------------------------------------------------------------------ */

static inline void relu(int n, const float *x, float *y) {
    for (int i = 0; i < n; i++) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static inline void leaky_relu(int n, const float *x, float slope, float *y) {
    for (int i = 0; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}

static inline void hard_tanh(int n, const float *x, float *y) {
    for (int i = 0; i < n; i++) y[i] = x[i] < -1.0f ? -1.0f : x[i] > 1.0f ? 1.0f : x[i];
}

static inline void sigmoid(int n, const float *x, float *y) {
    for (int i = 0; i < n; i++) {
        const float e = expf(-fabsf(x[i])); /* never overflows */
        y[i] = (x[i] >= 0.0f ? 1.0f : e) / (1.0f + e);
    }
}

static inline void hyperbolic_tangent(int n, const float *x, float *y) {
    for (int i = 0; i < n; i++) y[i] = tanhf(x[i]);
}

/* The logarithm of the softmax of each pixel's channels. */
static inline void log_softmax(size map, const float *x, float *y) {
    for (int pixel = 0; pixel < map.height * map.width; pixel++, x += map.channels, y += map.channels) {
        float largest = x[0], sum = 0.0f;
        for (int c = 1; c < map.channels; c++) largest = x[c] > largest ? x[c] : largest;
        for (int c = 0; c < map.channels; c++) sum += expf(x[c] - largest);
        for (int c = 0; c < map.channels; c++) y[c] = x[c] - largest - logf(sum);
    }
}

/* --- Moving a map, and two maps --------------------------------------------------------------------------------- */

/* How far apart neighbours of an axis lie, in floats; 0 repeats the same along it. */
typedef struct {
    int row, column, channel;
} steps;

static inline ptrdiff_t place(steps apart, int i, int j, int c) {
    return (ptrdiff_t)i * apart.row + (ptrdiff_t)j * apart.column + (ptrdiff_t)c * apart.channel;
}

/* From where a map lies to where it goes: slices, paddings, concatenations and transpositions are this. */
static inline void copy(size map, const float *x, steps from, float *y, steps to) {
    for (int i = 0; i < map.height; i++)
        for (int j = 0; j < map.width; j++)
            for (int c = 0; c < map.channels; c++) y[place(to, i, j, c)] = x[place(from, i, j, c)];
}

static inline void fill(int n, float value, float *y) {
    for (int i = 0; i < n; i++) y[i] = value;
}

typedef enum { ADD, SUBTRACT, MULTIPLY, DIVIDE } operation;

static inline float applied(operation what, float a, float b) {
    return what == ADD ? a + b : what == SUBTRACT ? a - b : what == MULTIPLY ? a * b : a / b;
}

/* y = a + b and so on, a map in one piece. */
static inline void combine(operation what, size map, const float *a, steps of_a, const float *b, steps of_b, float *y) {
    for (int i = 0; i < map.height; i++)
        for (int j = 0; j < map.width; j++, y += map.channels)
            for (int c = 0; c < map.channels; c++)
                y[c] = applied(what, a[place(of_a, i, j, c)], b[place(of_b, i, j, c)]);
}

#endif
