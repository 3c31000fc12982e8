/* Try the network: `./network` computes the example that came with it and compares; `./network -` reads images from
 * its input, as raw 32-bit floats, and writes what the network makes of each to its output. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "example.h"
#include "network.h"

static float memory[NETWORK_MEMORY + 1], image[NETWORK_INPUTS], outputs[NETWORK_OUTPUTS];

static int check(void) {
    float largest = 0.0f, error = 0.0f;
    int wrong = 0;
    network(example_input, outputs, memory);
    for (int i = 0; i < NETWORK_OUTPUTS; i++) largest = fmaxf(largest, fabsf(example_output[i]));
    for (int i = 0; i < NETWORK_OUTPUTS; i++) {
        const float difference = fabsf(outputs[i] - example_output[i]);
        error = fmaxf(error, difference);
        wrong += !(difference <= 1e-4f * (1.0f + largest)); /* so that NaN, which fmaxf leaves out, is wrong */
    }
    printf("largest output %g, largest difference from minidl %g, wrong outputs %d of %d\n", (double)largest,
           (double)error, wrong, NETWORK_OUTPUTS);
    return wrong != 0;
}

int main(int argc, char **argv) {
    size_t numbers;
    if (argc == 1) return check();
    if (argc > 2 || strcmp(argv[1], "-")) {
        fprintf(stderr, "found %s, expected nothing (compute the example) or - (read images)\n", argv[argc - 1]);
        return 2;
    }
    while ((numbers = fread(image, sizeof(float), NETWORK_INPUTS, stdin)) == NETWORK_INPUTS) {
        network(image, outputs, memory);
        fwrite(outputs, sizeof(float), NETWORK_OUTPUTS, stdout);
    }
    if (!numbers) return 0;
    fprintf(stderr, "found %d numbers at the end, expected %d for an image\n", (int)numbers, NETWORK_INPUTS);
    return 2;
}
