#version 300 es
// Places a point of the relief; `flatten` lays it on the floor instead, where the map of equal values is drawn.
in vec3 position;
in float level;   // 0 and 1 are the ends of the scale; beyond them the value is clipped
in vec3 normal;
uniform mat4 camera;
uniform float flatten;
uniform float floorHeight;
uniform float pointSize;
out vec2 place;
out float shownLevel;
out vec3 facing;

void main() {
  place = position.xy;
  shownLevel = level;
  facing = normal;
  gl_Position = camera * vec4(position.xy, mix(position.z, floorHeight, flatten), 1.0);
  gl_PointSize = pointSize;
}
