#version 300 es
// Colours a point by its level: the colour map with lines of equal value, stripes where clipped, hatching where unknown.
precision highp float;
in vec2 place;
in float shownLevel;
in vec3 facing;
uniform int kind;            // 0 surface, 1 map on the floor, 2 not finite, 3 line, 4 node, 5 lid
uniform sampler2D colours;
uniform float ticks[24];
uniform int tickCount;
uniform vec3 over;           // above the scale
uniform vec4 plain;          // lines and nodes
uniform vec3 ink;            // of the page's text: what must read on its paper leans to it
out vec4 colour;

const vec3 LIGHT = vec3(-0.35, -0.45, 0.82);

float stripes(float width) {  // 0 or 1 in bands of the plane, softened over one pixel
  float phase = (place.x + place.y) / width;
  float slope = fwidth(phase);
  return smoothstep(-slope, slope, abs(fract(phase) - 0.5) - 0.25);
}

float contour() {
  float slope = max(fwidth(shownLevel), 1e-6);
  float nearest = 1e9;
  for (int i = 0; i < tickCount; i++) nearest = min(nearest, abs(shownLevel - ticks[i]));
  return 1.0 - smoothstep(0.5, 1.3, nearest / slope);
}

vec3 mapped(float stripe) {
  vec3 base = texture(colours, vec2(clamp(shownLevel, 0.0, 1.0) * (255.0 / 256.0) + 0.5 / 256.0, 0.5)).rgb;
  if (shownLevel > 1.0001) return mix(over, over * 0.8, stripe);
  if (shownLevel < -0.0001) return mix(base, mix(base, vec3(1.0), 0.35), stripe);
  return base;
}

void main() {
  bool clipped = shownLevel > 1.0001 || shownLevel < -0.0001;
  float line = clipped ? 0.0 : contour();  // outside the branches: derivatives need all neighbours
  float hatch = stripes(0.05);
  float stripe = stripes(0.07);
  vec3 base = mapped(stripe);
  if (kind == 0) {
    float shade = 0.8 + 0.2 * max(dot(normalize(facing), normalize(LIGHT)), 0.0);  // little, so that colours stay legible
    float bright = dot(base, vec3(0.3, 0.6, 0.1));
    colour = vec4(mix(base * shade, bright > 0.55 ? vec3(0.0) : vec3(1.0), 0.45 * line), 1.0);
  } else if (kind == 1) {
    float alpha = mix(0.14, 0.95, line);
    colour = vec4(mix(base, ink, 0.25 * line) * alpha, alpha);
  } else if (kind == 2) {
    colour = vec4(mix(vec3(0.62, 0.64, 0.67), vec3(0.84, 0.85, 0.87), hatch), 1.0);
  } else if (kind == 5) {
    float alpha = mix(0.3, 0.75, stripe);
    colour = vec4(over * mix(1.0, 0.78, stripe) * alpha, alpha);
  } else if (kind == 4) {
    float radius = length(gl_PointCoord - 0.5);
    if (radius > 0.5) discard;
    colour = plain;
  } else {
    colour = plain;
  }
}
